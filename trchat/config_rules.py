"""Every setting there is, what values it may have, and where in the configuration file it may stand.

The same rules hold for flags, environment variables and the file.
"""

import json
import re
from dataclasses import dataclass

MOST = 2**31 - 1
"""What llama.cpp can count to."""
DRAFT_MODES = ("auto", "recycling", "lookup", "off")
MOST_DEVICES = 16
"""What llama.cpp can spread a model over."""
SPLIT_MODES = ("layer", "row", "none")
CACHE_TYPES = ("f16", "q8_0")
THINK_MODES = ("auto", "on", "off", "low", "medium", "high")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([KMGT]?)I?B?", re.IGNORECASE | re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9._-]{1,253}:([0-9]{1,5})", re.ASCII)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_NUMBER = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)

Value = str | int | float
"""A setting's value."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any text that is not empty."""

    meaning: str = "a text in quotes"

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        if not isinstance(value, str) or not value.strip():
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number from ``low`` to ``high``, whole or not."""

    low: float
    high: float
    meaning: str
    whole: bool = False

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            raise ValueError
        if not self.low <= value <= self.high:  # "nan" is nowhere between
            raise ValueError
        return value if self.whole else float(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def meaning(self) -> str:
        """The words, for a person."""
        return "one of " + ", ".join(self.words)

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Layers:
    """``all``, ``auto`` or a number of layers; kept as text, as the flag gives it."""

    meaning: str = "a number, 'all' or 'auto'"

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
            return str(value)
        if isinstance(value, str) and (value in ("all", "auto") or (value.isascii() and value.isdigit())):
            return value if value in ("all", "auto") else self.check(int(value))
        raise ValueError


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, with a unit or without, or ``auto``; kept as text, as the flag gives it."""

    meaning: str = "a size such as '2GB' or '500MB', 0 (off) or 'auto'"

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise ValueError
        bytes_in(text)
        return text.strip()


def bytes_in(size: str) -> int | None:
    """The bytes that a size stands for; None for ``auto``. Raises ValueError for what is not a size."""
    if size.strip().lower() == "auto":
        return None
    found = _SIZE.fullmatch(size.strip())
    if found is None:
        raise ValueError
    return int(float(found[1]) * _UNITS[found[2].upper()])


@dataclass(frozen=True, slots=True)
class Variables:
    """Names with values that JSON can hold; kept as the text of a JSON object."""

    meaning: str = 'a JSON object of names and values, such as {"enable_thinking": false}'

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        try:
            value = json.loads(value) if isinstance(value, str) else value
            if not isinstance(value, dict) or not all(map(is_variable, value)):
                raise ValueError
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, RecursionError):
            raise ValueError from None


@dataclass(frozen=True, slots=True)
class Texts:
    """One text or several, none of them empty; kept as the text of a JSON list."""

    meaning: str = 'a text, or several as a JSON list, such as ["END", "User:"]'

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        if isinstance(value, str):
            try:
                told = json.loads(value)
            except (ValueError, RecursionError):
                told = None
            value = told if isinstance(told, list) else [value]
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise ValueError
        return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Shares:
    """What each of several GPUs gets of the whole, as numbers; kept as text, as the flag gives it."""

    meaning: str = "up to 16 numbers, one a GPU, such as 3,1"

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        listed = value if isinstance(value, list) else str(value).split(",")
        if not 0 < len(listed) <= MOST_DEVICES or isinstance(value, bool):
            raise ValueError
        shares = [spelled(_SHARE, str(each)) for each in listed]
        if not any(shares):
            raise ValueError
        return ",".join(str(each).strip() for each in listed)


@dataclass(frozen=True, slots=True)
class Machines:
    """The addresses of one machine or several; kept as text, as the flag gives it."""

    meaning: str = "up to 16 different HOST:PORT, with commas between them"

    def check(self, value: object) -> Value:
        """The value as trchat keeps it. Raises ValueError when it may not stand here."""
        listed = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
        machines = [str(each).strip() for each in listed]
        if not 0 < len(set(machines)) == len(machines) <= MOST_DEVICES:
            raise ValueError
        for machine in machines:
            found = _ADDRESS.fullmatch(machine)
            if found is None or not 0 < int(found[1]) < 1 << 16:
                raise ValueError
        return ",".join(machines)


def is_variable(name: object) -> bool:
    """Whether a template may be given a variable of this name; the conversation is none of them."""
    return isinstance(name, str) and name.isidentifier() and name != "messages"


Rule = Text | Number | Choice | Layers | Shares | Machines | Size | Variables | Texts


_SHARE = Number(0.0, 10**12, "a number from 0")


def spelled(rule: Rule, text: str) -> Value:
    """The value that ``text`` spells, on the command line or in the environment. Raises ValueError."""
    if not isinstance(rule, Number):
        return rule.check(text)
    if not _NUMBER.fullmatch(text.strip()):  # Python would read 1_000 and other scripts' digits too
        raise ValueError
    return rule.check(int(text) if rule.whole else float(text))


SAMPLING: dict[str, Rule] = {
    "temp": Number(0.0, 100.0, "a number from 0 (greedy) to 100"),
    "top_k": Number(0, MOST, f"a whole number from 0 (all) to {MOST}", whole=True),
    "top_p": Number(0.0, 1.0, "a number from 0 to 1"),
    "min_p": Number(0.0, 1.0, "a number from 0 to 1"),
    "repeat_penalty": Number(0.01, 100.0, "a number from 0.01 to 100 (1 = no penalty)"),
    "seed": Number(0, 2**32 - 2, f"a whole number from 0 to {2**32 - 2}", whole=True),
    "max_tokens": Number(1, MOST, f"a whole number from 1 to {MOST}", whole=True),
}
"""What may stand in ``[sampling]``."""

RUNNING: dict[str, Rule] = {
    "system": Text(),
    "ctx": Number(1, MOST, f"a whole number from 1 to {MOST}", whole=True),
    "threads": Number(1, 4096, "a whole number from 1 to 4096", whole=True),
    "gpu_layers": Layers(),
    "cache_type": Choice(CACHE_TYPES),
    "flash_attn": Choice(("auto", "on", "off")),
    "kv_disk": Size(),
    "draft": Choice(DRAFT_MODES),
    "recall": Choice(("on", "off")),
    "template": Text(),
    "think": Choice(THINK_MODES),
    "think_budget": Number(0, MOST, f"a whole number from 0 to {MOST}", whole=True),
    "template_arg": Variables(),
    "stop": Texts(),
    "split_mode": Choice(SPLIT_MODES),
    "tensor_split": Shares(),
    "main_gpu": Number(0, MOST_DEVICES - 1, f"a whole number from 0 to {MOST_DEVICES - 1}", whole=True),
    "rpc": Machines(),
}
"""What may stand at the top and, with the sampling, in ``[model.NAME]``."""

DEFAULT_MODEL = "default_model"
"""The file's name for the setting ``model``: TOML cannot have both ``model = "x"`` and ``[model.x]``."""

TOP: dict[str, Rule] = {DEFAULT_MODEL: Text(), **RUNNING, "theme": Text()}
"""What may stand at the top of the file."""

MODEL: dict[str, Rule] = {**RUNNING, **SAMPLING}
"""What may stand in ``[model.NAME]``."""

TABLES = ("sampling", "model", "personas", "keys")

SETTINGS: dict[str, Rule] = {"model": Text(), **RUNNING, **SAMPLING, "theme": Text()}
"""Every setting; the environment variable is ``TRCHAT_`` and its name in capitals."""
