"""The rows in the file: a segment for each save, merged into one and pruned as they grow."""

import sqlite3
from collections.abc import Iterator, Mapping

import numpy as np

from trchat.storage.recycled.rows import MAX_GENERATION, Rows, Shape, decode, encode, joined, merge, no_rows

FILE_BYTES = 2_000_000
"""What a file may take."""
MAX_SAVES = 16
"""Saves to be read at the start; more are merged first, so that loading stays quick."""

_PAGES = 0.98  # of a file; the rest are SQLite's own bytes
_SMALL_TABLES = 48_000  # bytes; what is in none of the large values
_LEFT_BY_MERGING = 0.9  # of the room, so that merging need not be done again at the next save
_MAX_SEGMENTS = 8 * MAX_SAVES
_MAX_DECODED = 1 << 26
"""Bytes of rows that a file may unpack to; ours unpack to a tenth of it."""

Shapes = Mapping[str, Shape]
"""The sources that this program knows, and where their rows go."""


def newest(connection: sqlite3.Connection) -> int:
    """The last generation in the file, 0 when it is empty."""
    (found,) = connection.execute(
        "SELECT max(generation) FROM segments WHERE typeof(generation) = 'integer'"
        " AND generation BETWEEN 1 AND ?",
        (MAX_GENERATION - 1,),
    ).fetchone()
    return found or 0


def read(connection: sqlite3.Connection, shapes: Shapes, since: int = 0) -> dict[str, Rows]:
    """All rows saved after the generation ``since``, merged, for each source that has any.

    Segments of an unknown source or layout, and rows that cannot be right, are passed over.
    """
    parts: dict[str, list[Rows]] = {}
    left = _MAX_DECODED
    for shape, count, data in _segments(connection, shapes, since):
        left -= (count + 1) * shape.row_bytes
        if left < 0:
            break
        rows = decode(data, count, shape)
        # A merged segment holds older rows as well.
        rows = rows.only(rows.stamps > since) if since else rows
        if len(rows):
            parts.setdefault(shape.source, []).append(rows)
    return {source: merge(joined(found), shapes[source].ways) for source, found in parts.items()}


def room_beside(others: int) -> int:
    """Bytes that segments may take in a file with values of ``others`` bytes beside them."""
    return max(int(FILE_BYTES * _PAGES) - _SMALL_TABLES - others, 0)


def add(
    connection: sqlite3.Connection, shapes: Shapes, rows: Mapping[str, Rows], generation: int, room: int
) -> None:
    """Write ``rows`` as one more generation; all segments are merged when they exceed ``room`` or are many.

    What then is still too much is dropped, the oldest rows first.
    """
    new = {
        source: found.stamped(generation) for source, found in rows.items() if source in shapes and len(found)
    }
    encoded = {source: encode(found) for source, found in new.items()}
    size, saves = connection.execute(
        "SELECT coalesce(sum(length(data)), 0), count(DISTINCT generation) FROM segments"
    ).fetchone()
    if size + sum(map(len, encoded.values())) > room or saves >= MAX_SAVES:
        old = read(connection, shapes)
        both = {
            source: merge(
                joined([part[source] for part in (old, new) if source in part]), shapes[source].ways
            )
            for source in {**old, **new}
        }
        # First delete: SQLite takes the freed pages for what comes, and the file does not grow.
        connection.execute("DELETE FROM segments")
        new, encoded = pruned(both, room, int(_LEFT_BY_MERGING * room))
    for source, data in encoded.items():
        connection.execute(
            "INSERT INTO segments (generation, source, layout, count, data) VALUES (?, ?, ?, ?, ?)",
            (generation, source, shapes[source].layout, len(new[source]), data),
        )


def drop_useless(connection: sqlite3.Connection, shapes: Shapes) -> None:
    """Remove what this program cannot use: other layouts, and numbers out of range."""
    unknown, values = _unknown(shapes)
    connection.execute(
        "DELETE FROM segments WHERE typeof(generation) <> 'integer' OR generation NOT BETWEEN 1 AND ?"
        f" OR {unknown}",
        (MAX_GENERATION - 1, *values),
    )


def count_unknown(connection: sqlite3.Connection, shapes: Shapes) -> int:
    """Rows of other layouts, which this program cannot read."""
    unknown, values = _unknown(shapes)
    counts = connection.execute(
        f"SELECT count FROM segments WHERE {unknown} AND typeof(count) = 'integer' LIMIT ?",
        (*values, _MAX_SEGMENTS),
    )
    return sum(min(max(count, 0), 1 << 32) for (count,) in counts)


def _unknown(shapes: Shapes) -> tuple[str, list[str]]:
    """A condition for segments of no known source and layout, and its values."""
    one = "(source = ? AND layout = ?)"
    values = [value for shape in shapes.values() for value in (shape.source, shape.layout)]
    return f"NOT ({' OR '.join([one] * len(shapes))})", values


def pruned(rows: Mapping[str, Rows], room: int, target: int) -> tuple[dict[str, Rows], dict[str, bytes]]:
    """Rows and their encoding: all where they take ``room`` bytes at most, else what takes ``target``.

    The oldest, of whatever source, are dropped: not every source counts how often its rows are learned.
    """
    kept = dict(rows)
    limit = room
    while True:
        encoded = {source: encode(found) for source, found in kept.items()}
        size = sum(map(len, encoded.values()))
        if size <= limit:
            return kept, encoded
        limit = target
        sources = list(kept)
        stamps = np.concatenate([kept[source].stamps for source in sources])
        owner = np.repeat(np.arange(len(sources)), [len(kept[source]) for source in sources])
        price = np.array([len(encoded[source]) / max(len(kept[source]), 1) for source in sources])
        newest_first = np.argsort(~stamps, kind="stable")
        chosen = np.zeros(len(stamps), bool)
        chosen[newest_first] = np.cumsum(price[owner[newest_first]]) <= 0.97 * target
        kept = {source: kept[source].only(chosen[owner == n]) for n, source in enumerate(sources)}
        kept = {source: found for source, found in kept.items() if len(found)}


def count_rows(connection: sqlite3.Connection, shapes: Shapes) -> dict[str, int]:
    """Rows that would be loaded, by source."""
    found = read(connection, shapes)
    return {source: len(found.get(source, no_rows(shape.width))) for source, shape in shapes.items()}


def _segments(
    connection: sqlite3.Connection, shapes: Shapes, since: int
) -> Iterator[tuple[Shape, int, bytes]]:
    cursor = connection.execute(
        "SELECT source, layout, count, data FROM segments"
        " WHERE generation > ? AND generation <= ? ORDER BY generation DESC LIMIT ?",
        (since, MAX_GENERATION - 1, _MAX_SEGMENTS),
    )
    for source, layout, count, data in cursor:
        shape = shapes.get(source) if isinstance(source, str) else None
        if shape is None or layout != shape.layout:
            continue
        if isinstance(count, int) and isinstance(data, bytes) and len(data) <= 2 * FILE_BYTES:
            yield shape, max(count, 0), data
