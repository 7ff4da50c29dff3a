"""Connecting to SQLite, and what its errors mean."""

import shutil
import sqlite3
from pathlib import Path

_LEAST_ROOM = 1 << 16
"""Bytes; SQLite's index of the log grows by half as many."""

BUSY_TIMEOUT_S = 5.0
"""How long to wait for another process that is writing; a write takes milliseconds."""

# Set in any case: a hostile file must not run functions, and a damaged page must not be trusted.
PRAGMAS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA foreign_keys = ON",
    # With a write-ahead log this keeps the file whole after any crash, and spares a sync at each commit.
    "PRAGMA synchronous = NORMAL",
)

FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's module raises; the second when the complaint about a damaged file quotes its bytes."""

_UNREACHABLE = {
    sqlite3.SQLITE_PERM: "no permission",
    sqlite3.SQLITE_BUSY: "another program keeps it locked",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "another program keeps it locked",
    sqlite3.SQLITE_NOLFS: "the file is too large for this disk",
}
"""SQLite's errors that say nothing against the file itself, in words for a person."""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open without the module's own transactions, for any thread; the caller holds a lock."""
    connection = sqlite3.connect(
        path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        # A file may hold bytes that are no UTF-8; the rest of it is still to be kept.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        for pragma in PRAGMAS:
            connection.execute(pragma)
        if path and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _switch_to_wal(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # Some other process is switching it right now. Network disks stay with their journal.
        if _primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise


def refuse_to_wait(status: int, remaining: int, total: int) -> None:
    """Stop a backup whose source is locked; by itself it would try for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise sqlite3.OperationalError("locked")


def _primary_code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def out_of_reach(error: Exception, path: Path | None = None) -> str | None:
    """Return in words why the file at ``path`` cannot be got at; None when the fault lies elsewhere."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_IOERR and path is not None and _is_full(path.parent):
        code = sqlite3.SQLITE_FULL  # SQLite only calls it that when the database itself cannot grow
    return _UNREACHABLE.get(code)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _LEAST_ROOM
    except OSError:
        return False


def is_damage(error: Exception) -> bool:
    """Whether SQLite says that the file is damaged."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, UnicodeDecodeError) or _primary_code(error) in codes
