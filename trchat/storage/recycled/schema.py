"""The tables of a model's store, one migration a version. What has been released is never changed."""

import sqlite3

APPLICATION_ID = 0x74726372
"""``trcr`` in ASCII: this file holds what trchat recycles."""


def _first(connection: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE about (key TEXT PRIMARY KEY, value)",
        # What one save brought, for each source; from time to time merged into one (see compaction).
        # A table of one SQL row per candidate row would need twice the space.
        """CREATE TABLE segments (
            generation INTEGER NOT NULL,
            source TEXT NOT NULL,
            layout TEXT NOT NULL,
            count INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (generation, source)
        )""",
        "CREATE TABLE calibration (layout TEXT PRIMARY KEY, data BLOB NOT NULL)",
        "CREATE TABLE step_costs (setting TEXT PRIMARY KEY, costs TEXT NOT NULL, saved_at REAL NOT NULL)",
        """CREATE TABLE totals (
            draft TEXT PRIMARY KEY,
            answers INTEGER NOT NULL,
            tokens INTEGER NOT NULL,
            steps INTEGER NOT NULL,
            drafted INTEGER NOT NULL,
            accepted INTEGER NOT NULL
        )""",
    ):
        connection.execute(statement)


def _second(connection: sqlite3.Connection) -> None:
    """Rows say how often they were learned (trchat.storage.recycled.rows).

    Those of version 1 can be read as they are; but to a program of that version, rows of the second would
    look damaged.
    """


MIGRATIONS = (_first, _second)
