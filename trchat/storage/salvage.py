"""Saves what can be read of a damaged database, row by row."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from trchat.storage.connection import FAULTS

_FAR = 1 << 53
_MISSES = 20_000
"""How many numbers in a row may lead to damage, until a table is given up: a page of pointers has so many."""


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
    try:
        old.execute(f"EXPLAIN SELECT {names} FROM {table}").close()
    except FAULTS:
        return  # where the table lies cannot be read, so none of its rows can
    last = misses = 0
    try:
        for number, *row in old.execute(f"SELECT rowid, {names} FROM {table} ORDER BY rowid"):
            last = number
            yield tuple(row)
        return
    except FAULTS:
        pass  # from here on each row is asked for by itself
    end = _last_number(old, table)
    select = f"SELECT rowid, {names} FROM {table} WHERE rowid"
    while last < (end or _FAR) and misses < _MISSES:
        found = None
        try:
            found = old.execute(f"{select} > ? ORDER BY rowid LIMIT 1", (last,)).fetchone()
            if found is None:
                return
        except FAULTS:
            pass
        if found is None or found[0] <= last:  # damage on the way to the next row
            try:
                found = old.execute(f"{select} = ?", (last + 1,)).fetchone()
            except FAULTS:
                if end:
                    yield None
        if found is None or found[0] <= last:
            last += 1
            misses += 1
        else:
            last, misses = found[0], 0
            yield found[1:]


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
