"""``config.toml``: read, checked key by key, and changed one value at a time.

Nothing in it is ignored: an unknown key, a wrong type or a value out of range is an error that names file
and line.
"""

import contextlib
import difflib
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trchat.config_rules import DEFAULT_MODEL, MODEL, SAMPLING, SETTINGS, TABLES, TOP, Rule, Text, Value
from trchat.errors import TrchatError, UsageError
from trchat.paths import config_dir, make_private_dir
from trchat.text.one_line import one_line
from trchat.toml_lines import Path as KeyPath
from trchat.toml_lines import key_lines

FILE_NAME = "config.toml"
SIZE_LIMIT = 1 << 20
"""Bytes. A larger file is not a configuration."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A value and the line (from 1) it stands on."""

    value: Value
    line: int


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the file says, checked: ``values`` by setting, ``models`` by the NAME of ``[model.NAME]``."""

    path: Path
    exists: bool = False
    values: Mapping[str, Placed] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Placed]] = field(default_factory=dict)
    personas: Mapping[str, Placed] = field(default_factory=dict)
    keys: Mapping[str, Placed] = field(default_factory=dict)

    def check_keys(self, actions: Collection[str]) -> None:
        """Raise UsageError, with its line, for an entry of ``[keys]`` that is none of ``actions``."""
        for action, placed in self.keys.items():
            if action not in actions:
                raise UsageError(f"{_place(self.path, placed.line)}: {_unknown(action, 'keys', actions)}")

    def for_model(self, names: Collection[str]) -> dict[str, Placed]:
        """The settings of all ``[model.NAME]`` whose NAME is a part of one of the model's ``names``.

        Upper and lower case are the same. Where several fit, the longest NAME has the last word.
        """
        lowered = [name.lower() for name in names]
        fitting = [name for name in self.models if any(name.lower() in each for each in lowered)]
        merged: dict[str, Placed] = {}
        for name in sorted(fitting, key=len):
            merged.update(self.models[name])
        return merged


def config_path() -> Path:
    """Where the configuration file is, or would be."""
    return config_dir() / FILE_NAME


def load_config(path: Path | None = None) -> ConfigFile:
    """Read and check the configuration file; without one, everything is empty.

    Raises UsageError, naming file and line, for the first thing in it that is wrong.
    """
    path = path or config_path()
    text = _read(path)
    if text is None:
        return ConfigFile(path)
    return _checked(path, text)


def change_config(key: KeyPath, value: Value | None, path: Path | None = None) -> Path:
    """Set one key, such as ``("theme",)``, in the file, or take it out (None); return the file's path.

    The rest of the file stays as it was, comments too. Raises UsageError when the file is wrong, as it is or
    as it would be; TrchatError when it cannot be written.
    """
    path = path or config_path()
    text = _read(path) or ""
    _checked(path, text)
    changed = _with_value(text, key, value)
    _checked(path, changed)
    try:
        _write(path, changed)
    except OSError as error:
        raise TrchatError(f"{one_line(str(path))} cannot be written: {error.strerror or error}") from None
    return path


def setting_key(name: str) -> KeyPath:
    """Where a setting stands in the file, such as ``("sampling", "temp")`` for ``temp``.

    Longer names say it themselves: ``sampling.temp``, ``model.qwen3.temp``, ``personas.pirate``,
    ``keys.quit``. Raises UsageError for what is not a setting.
    """
    table, _, rest = name.partition(".")
    known = {**SETTINGS, **TOP}
    if not rest:
        spelling = name.lower().replace("-", "_")
        if spelling not in known:
            raise UsageError(_unknown(name, "", list(known)).replace("unknown key", "there is no setting"))
        return ("sampling", spelling) if spelling in SAMPLING else (_file_name(spelling),)
    if table == "model":
        model, _, setting = rest.rpartition(".")  # a model's name may have dots
        if model and setting in MODEL:
            return (table, model, setting)
        raise UsageError(f"{one_line(name)!r} is not model.NAME.SETTING, such as model.qwen3.temp")
    if (table == "sampling" and rest in SAMPLING) or table in ("personas", "keys"):
        return (table, rest)
    raise UsageError(f"there is no setting {one_line(name)!r}; 'trchat config --help' shows what there is")


def rule_of(key: KeyPath) -> Rule:
    """What may stand at ``key``, which ``setting_key`` has given."""
    if key[0] in ("personas", "keys"):
        return Text()
    return {**TOP, **MODEL}[key[-1]]


def _file_name(setting: str) -> str:
    return DEFAULT_MODEL if setting == "model" else setting


def _with_value(text: str, key: KeyPath, value: Value | None) -> str:
    """``text``, valid TOML, with the value at ``key``."""
    import tomlkit  # reads slowly: only where something is written
    import tomlkit.items

    document = tomlkit.parse(text)
    table: tomlkit.TOMLDocument | tomlkit.items.AbstractTable = document
    for depth, name in enumerate(key[:-1]):
        if name not in table:
            if value is None:
                return text
            table[name] = tomlkit.table(is_super_table=depth < len(key) - 2)
        table = table[name]  # a table: _checked has seen to that
    if value is not None:
        table[key[-1]] = value
    elif key[-1] in table:
        del table[key[-1]]
    return tomlkit.dumps(document)


def _read(path: Path) -> str | None:
    shown = one_line(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror or error}") from None
    if len(raw) > SIZE_LIMIT:
        raise UsageError(f"{shown} is larger than a configuration can be ({SIZE_LIMIT} bytes)")
    try:
        return raw.decode("utf-8-sig")  # Windows editors put a mark in front
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{_place(path, line)}: is not UTF-8 text; save it as UTF-8") from None


def _write(path: Path, text: str) -> None:
    """Replace the file in one step; a link (dotfiles are often links) stays a link."""
    target = Path(os.path.realpath(path))
    make_private_dir(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=FILE_NAME)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _checked(path: Path, text: str) -> ConfigFile:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # tomllib says "... (at line 2, column 6)" or "... (at end of document)".
        what, _, where = str(error).rpartition(" (at ")
        number = re.search(r"line (\d+)", where)
        line = int(number[1]) if number else text.rstrip().count("\n") + 1
        raise UsageError(f"{_place(path, line)}: is not valid TOML: {one_line(what or str(error))}") from None
    except ValueError:  # Python reads no numbers of thousands of digits
        digits = re.search(r"[0-9_]{1000,}", text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else 1
        raise UsageError(f"{_place(path, line)}: a number is too long") from None
    except RecursionError:
        raise UsageError(f"{one_line(str(path))}: is nested too deeply") from None
    return _Checker(path, key_lines(text)).check(content)


class _Checker:
    """Goes through the file's content; raises the UsageError for the first line that is wrong."""

    def __init__(self, path: Path, lines: Mapping[KeyPath, int]) -> None:
        self.path = path
        self.lines = lines
        self.errors: list[tuple[int, str]] = []

    def check(self, content: dict[str, object]) -> ConfigFile:
        top = {key: value for key, value in content.items() if key not in TABLES}
        if isinstance(content.get("model"), str):
            self._wrong(("model",), f"the default model is written {DEFAULT_MODEL} = {content['model']!r}")
            content = {key: value for key, value in content.items() if key != "model"}
        values = self._options((), top, TOP, also=TABLES)
        values.update(self._options(("sampling",), self._table(content, ("sampling",)), SAMPLING))
        if DEFAULT_MODEL in values:
            values["model"] = values.pop(DEFAULT_MODEL)
        models = {
            name: self._options(("model", name), self._table(content, ("model", name)), MODEL)
            for name in self._table(content, ("model",))
        }
        personas = self._texts(content, "personas")
        keys = self._texts(content, "keys")
        if self.errors:
            line, message = min(self.errors)
            raise UsageError(f"{_place(self.path, line)}: {message}")
        return ConfigFile(self.path, True, values, models, personas, keys)

    def _table(self, content: Mapping[str, object], path: KeyPath) -> Mapping[str, object]:
        value: object = content
        for key in path:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        if isinstance(value, Mapping):
            return value
        self._wrong(path, f"{one_line('.'.join(path))} must be a table: [{one_line('.'.join(path))}]")
        return {}

    def _options(
        self,
        table: KeyPath,
        content: Mapping[str, object],
        rules: Mapping[str, Rule],
        also: Collection[str] = (),
    ) -> dict[str, Placed]:
        found: dict[str, Placed] = {}
        for key, value in content.items():
            path = (*table, key)
            if key not in rules:
                self._wrong(path, _unknown(key, ".".join(table), (*rules, *also)))
                continue
            try:
                found[key] = Placed(rules[key].check(value), self._line(path))
            except ValueError:
                self._wrong(path, f"{key} must be {rules[key].meaning}, not {one_line(repr(value))[:60]}")
        return found

    def _texts(self, content: Mapping[str, object], table: str) -> dict[str, Placed]:
        found: dict[str, Placed] = {}
        for key, value in self._table(content, (table,)).items():
            if isinstance(value, str) and value.strip():
                found[key] = Placed(value, self._line((table, key)))
            else:
                self._wrong((table, key), f"{one_line(key)} in [{table}] must be a text in quotes")
        return found

    def _wrong(self, path: KeyPath, message: str) -> None:
        self.errors.append((self._line(path), message))

    def _line(self, path: KeyPath) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def _unknown(key: str, table: str, known: Collection[str]) -> str:
    where = f" in [{one_line(table)}]" if table else ""
    near = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    if not table and key in SAMPLING:
        hint = "it belongs into [sampling]"
    elif table == "sampling" and key in TOP:
        hint = "it belongs to the top of the file, above all [tables]"
    return f"unknown key {one_line(key)!r}{where}; {hint}"


def _place(path: Path, line: int) -> str:
    return f"{one_line(str(path))}:{line}"
