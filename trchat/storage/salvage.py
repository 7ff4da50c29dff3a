"""Saves what can be read of a damaged database, row by row."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from trchat.storage.connection import FAULTS

_FAR = 1 << 53
_MISSES = 20_000
"""Row numbers in a row without a row, before a table whose end cannot be read is given up."""


def salvage(source: Path, target: sqlite3.Connection, tables: dict[str, list[str]]) -> tuple[int, int]:
    """Copy the rows of ``tables`` (columns by name) from ``source``, which is only read, into ``target``.

    Returns how many rows were saved, and how many were known to be there and could not be read. ``target``
    must not check foreign keys meanwhile.
    """
    saved = lost = 0
    address = f"{source.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as old:
        old.text_factory = lambda data: data.decode("utf-8", "replace")
        for table, columns in tables.items():
            names = ", ".join(columns)
            marks = ", ".join("?" for _ in columns)
            for row in _rows(old, table, names):
                if row is None:
                    lost += 1
                    continue
                with contextlib.suppress(*FAULTS):  # a value that the table does not take
                    target.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row)
                    saved += 1
    return saved, lost


def _rows(old: sqlite3.Connection, table: str, names: str) -> Iterator[tuple[object, ...] | None]:
    """Every row that can be read; None for one that cannot, where it is known to be there."""
    last = 0
    try:
        for number, *row in old.execute(f"SELECT rowid, {names} FROM {table} ORDER BY rowid"):
            last = number
            yield tuple(row)
        return
    except FAULTS:
        pass  # from here on each row is asked for by its number
    end = _last_number(old, table)
    misses = 0
    while last < (end or _FAR) and (end or misses < _MISSES):
        last += 1
        try:
            found = old.execute(f"SELECT {names} FROM {table} WHERE rowid = ?", (last,)).fetchone()
        except FAULTS:
            misses += 1
            if end:
                yield None
            continue
        misses = 0 if found else misses + 1
        if found:
            yield found


def _last_number(old: sqlite3.Connection, table: str) -> int:
    """The number of the table's last row; 0 where that cannot be read."""
    queries = (
        (f"SELECT max(rowid) FROM {table}", ()),
        ("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)),
    )
    for query, values in queries:
        with contextlib.suppress(*FAULTS, TypeError, ValueError):
            return int(old.execute(query, values).fetchone()[0])
    return 0
