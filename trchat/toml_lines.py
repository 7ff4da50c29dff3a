"""TOML by lines: where each key stands.

``tomllib`` tells no line numbers. A text that it accepts is cut here into statements (a table header, or a
key with its value), by letting ``tomllib`` say where each is complete.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str, ...]
"""A key with the tables it stands in."""

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
