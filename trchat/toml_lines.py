"""TOML by lines: where each key stands, and changing one value without touching the rest.

``tomllib`` reads, but tells no line numbers and cannot write. A text that it accepts is cut here into
statements (a table header, or a key with its value), by letting ``tomllib`` say where each is complete.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str, ...]
"""A key with the tables it stands in."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAY_END = ('"""', "'''", "]", "}")


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines ``first`` to ``last`` (from 0), the keys set there with their tables, and the table opened."""

    first: int
    last: int
    paths: tuple[Path, ...]
    table: Path | None


def split_lines(text: str) -> list[str]:
    """The lines of ``text`` with their ends; only a newline ends one, as in TOML (not so str.splitlines)."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def statements(text: str) -> list[Statement]:
    """Cut ``text``, valid TOML, into its statements; blank lines and comments belong to none."""
    lines = split_lines(text)
    found: list[Statement] = []
    table: Path = ()
    first = 0
    while first < len(lines):
        last, value = _complete(lines, first)
        if value and lines[first].lstrip().startswith("["):
            table = _deepest(value)
            found.append(Statement(first, last, (table,), table))
        elif value:
            found.append(Statement(first, last, tuple(table + path for path in _paths(value)), None))
        first = last + 1
    return found


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) on which each key and table of ``text``, valid TOML, first stands."""
    found: dict[Path, int] = {}
    for statement in statements(text):
        for path in statement.paths:
            for length in range(1, len(path) + 1):
                found.setdefault(path[:length], statement.first + 1)
    return found


def set_value(text: str, path: Path, value: str | int | float | bool) -> str:
    """Return ``text``, valid TOML, with the key at ``path`` set to ``value`` and every other line as it was.

    Raises ValueError when the key cannot be changed by itself (it stands inside an inline table).
    """
    lines = split_lines(text)
    found = statements(text)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    line = f"{_written_key(path[-1])} = {_written(value)}"
    for statement in found:
        if statement.table is None and path in statement.paths:
            lines[statement.first : statement.last + 1] = [_replaced(lines, statement, line, newline)]
            break
    else:
        _insert(lines, found, path[:-1], line, newline)
    changed = "".join(lines)
    if _without(tomllib.loads(changed), path) != (_without(tomllib.loads(text), path)[0], value):
        raise ValueError(f"{'.'.join(path)} cannot be changed by itself")
    return changed


def _complete(lines: list[str], first: int) -> tuple[int, dict[str, object]]:
    """The last line of the statement that begins on ``first``, and what it says."""
    for last in range(first, len(lines)):
        if last > first and not any(end in lines[last] for end in _MAY_END):
            continue  # inside a long text or list: no need to try
        try:
            return last, tomllib.loads("".join(lines[first : last + 1]))
        except tomllib.TOMLDecodeError:
            continue
    raise ValueError("not TOML")


def _deepest(value: object) -> Path:
    path: list[str] = []
    while isinstance(value, (dict, list)) and value:
        if isinstance(value, list):
            value = value[0]
        else:
            key, value = next(iter(value.items()))
            path.append(key)
    return tuple(path)


def _paths(value: dict[str, object]) -> Iterator[Path]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from ((key, *path) for path in _paths(inner))
        else:
            yield (key,)


def _replaced(lines: list[str], statement: Statement, line: str, newline: str) -> str:
    """The new line for a statement, in the old one's place: its indent and its comment stay."""
    old = "".join(lines[statement.first : statement.last + 1])
    indent = re.match(r"[ \t]*", old)
    comment = _comment(old)
    key = re.match(r"[ \t]*(.*?)[ \t]*=", old)  # a dotted key stays dotted
    if key and "." in key[1]:
        line = key[1] + line[line.index(" =") :]
    ending = newline if old.endswith("\n") else ""
    return (indent[0] if indent else "") + line + (f"  {comment}" if comment else "") + ending


def _comment(statement: str) -> str:
    """The comment behind a one-line statement: from the first ``#`` that can be cut off without a change."""
    body = statement.rstrip("\r\n")
    if "\n" in body:
        return ""
    whole = tomllib.loads(body)
    for match in re.finditer("#", body):
        try:
            if tomllib.loads(body[: match.start()]) == whole:
                return body[match.start() :]
        except tomllib.TOMLDecodeError:
            continue
    return ""


def _insert(lines: list[str], found: list[Statement], table: Path, line: str, newline: str) -> None:
    """Add a line to ``table``: behind its last statement, or in a new table at the end."""
    inside, here = -1, not table
    for statement in found:
        if statement.table is not None:
            here = statement.table == table
        if here:
            inside = statement.last
    if inside < 0 and not table:
        # Keys of no table must come before the first table; comments at the top stay at the top.
        inside = (found[0].first if found else len(lines)) - 1
    if inside < 0 and table:
        _end_line(lines, newline)
        if lines:
            lines.append(newline)
        lines.append(f"[{'.'.join(map(_written_key, table))}]{newline}")
        inside = len(lines) - 1
    if inside == len(lines) - 1:
        _end_line(lines, newline)
    gap = (
        newline if found and not table and found[0].first == inside + 1 and found[0].table is not None else ""
    )
    lines.insert(inside + 1, line + newline + gap)


def _end_line(lines: list[str], newline: str) -> None:
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline


def _without(content: dict[str, object], path: Path) -> tuple[dict[str, object], object]:
    """``content`` less the key at ``path`` (and the tables that only held it), and that key's value."""
    if len(path) == 1:
        return {key: value for key, value in content.items() if key != path[0]}, content.get(path[0])
    inner = content.get(path[0], {})
    rest, value = _without(inner, path[1:]) if isinstance(inner, dict) else ({}, None)
    less = {key: value for key, value in content.items() if key != path[0]}
    return {**less, **({path[0]: rest} if rest else {})}, value


def _written_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _written(key)


def _written(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    escaped = "".join(
        _ESCAPES.get(char) or (char if _plain(char) else f"\\u{ord(char):04X}") for char in value
    )
    return f'"{escaped}"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _plain(char: str) -> bool:
    return char >= " " and char != "\x7f"
