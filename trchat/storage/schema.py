"""Whose a database is, which version it has, and how it gets to the present one."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Migration = Callable[[sqlite3.Connection], object]
"""Brings a database from one version to the next; runs inside a transaction, so no ``executescript``."""


class UnusableError(Exception):
    """This file cannot be used and must make room. ``label`` names it, ``reason`` says why to a person."""

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(reason)
        self.label = label
        self.reason = reason


@dataclass(frozen=True)
class Schema:
    """What a database must look like.

    ``application_id`` (a signed 32-bit number other than 0) tells our files from others'.
    ``migrations[n]`` leads from version n to n + 1; the version is SQLite's ``user_version``.
    """

    application_id: int
    migrations: Sequence[Migration]

    @property
    def version(self) -> int:
        """The version that this program writes."""
        return len(self.migrations)

    def apply(self, connection: sqlite3.Connection, thorough: bool = False) -> None:
        """Check ``connection``'s file and bring it to the present version, all or nothing.

        ``thorough`` reads every page and rebuilds damaged indexes. Raises UnusableError for a foreign,
        newer or damaged file, and sqlite3.Error where SQLite itself finds a fault.
        """
        # One snapshot for all questions: another process may be making this very file.
        with _transaction(connection, "BEGIN"):
            version = self._checked_version(connection)
        if version < self.version:
            self._migrate(connection)
        with contextlib.closing(self._fresh()) as fresh:
            for table in _tables(fresh):
                if not _columns(fresh, table) <= _columns(connection, table):
                    raise UnusableError("damaged", "is damaged")
            if thorough:
                _examine(connection, fresh)

    def tables(self) -> dict[str, list[str]]:
        """The columns of each table that a new file has."""
        with contextlib.closing(self._fresh()) as fresh:
            names = [name for name in _tables(fresh) if not name.startswith("sqlite_")]
            return {name: sorted(_columns(fresh, name)) for name in names}

    def _checked_version(self, connection: sqlite3.Connection) -> int:
        owner = _number(connection, "PRAGMA application_id")
        version = _number(connection, "PRAGMA user_version")
        if owner != self.application_id:
            tables = _number(connection, "SELECT count(*) FROM sqlite_master")
            if owner or version or tables:
                raise UnusableError("foreign", "is not trchat's")
        elif version > self.version:
            raise UnusableError("newer", "was written by a newer trchat")
        elif version < 1:
            raise UnusableError("damaged", "is damaged")
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection, "BEGIN IMMEDIATE"):
            # Another process may have migrated while this one waited for the lock.
            for migration in self.migrations[self._checked_version(connection) :]:
                migration(connection)
            connection.execute(f"PRAGMA application_id = {self.application_id:d}")
            connection.execute(f"PRAGMA user_version = {self.version:d}")

    def _fresh(self) -> sqlite3.Connection:
        """Return an empty database as it must look; making it costs well under a millisecond."""
        fresh = sqlite3.connect(":memory:", isolation_level=None)
        for migration in self.migrations:
            migration(fresh)
        return fresh


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _definitions(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _examine(connection: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
    """Read all of a file that has made trouble, and repair what can be repaired. Raises UnusableError."""
    if not _definitions(fresh) <= _definitions(connection):
        raise UnusableError("damaged", "is damaged")
    if not _is_whole(connection):
        # An index is made of its table once more, and nothing is lost.
        connection.execute("REINDEX")
        if not _is_whole(connection):
            raise UnusableError("damaged", "is damaged")


def _is_whole(connection: sqlite3.Connection) -> bool:
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return verdict is not None and verdict[0] == "ok"
