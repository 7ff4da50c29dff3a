"""Tables: drawn for a person at a terminal, tab-separated lines for a program behind a pipe."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from trchat.text.one_line import one_line


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print ``rows`` under ``columns`` to stdout; the columns named in ``right`` are numbers.

    Control characters are made visible in both forms: a name can neither drive a terminal nor break a line.
    """
    cells = [[_shown(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in (columns, *cells):
            print("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    style = "" if os.environ.get("NO_COLOR") else "bold"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=style)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))  # Text: "[red]" in a name is not markup
    Console(highlight=False).print(table)


def print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names with their values, aligned for a terminal, tab-separated for a pipe."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        gap = " " * (width - len(name) + 2) if sys.stdout.isatty() else "\t"
        print(f"{_shown(name)}{gap}{_shown(value)}")


def print_path(path: Path) -> None:
    """Print a path: harmless at a terminal, and exactly the file's name behind a pipe, UTF-8 or not."""
    if sys.stdout.isatty():
        print(_shown(str(path)))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + os.linesep.encode())
    sys.stdout.buffer.flush()


def _shown(text: str) -> str:
    """``text`` without control characters, and with nothing that stdout's encoding (Windows' pipes) lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    return one_line(text).encode(encoding, errors="backslashreplace").decode(encoding)
