"""One SQLite file that never takes the program down with it.

A file that cannot be used (damaged, foreign, from a newer version) is set aside and a new one begun. Where
nothing can be written (a full disk, a read-only or vanished folder) work goes on in memory, on a copy of what
could still be read. Either way one line says so, and the operation that met the trouble is run again.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from trchat.errors import TrchatError
from trchat.storage.files import identity, prepare_private_file, set_aside
from trchat.storage.schema import Migration, Schema, UnusableError

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
Warn = Callable[[str], None]

BUSY_TIMEOUT_S = 5.0
"""How long to wait for another process that is writing; a write takes milliseconds."""

# Set in any case: a hostile file must not run functions, and a damaged page must not be trusted.
_PRAGMAS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA foreign_keys = ON",
    # With a write-ahead log this keeps the file whole after any crash, and spares a sync at each commit.
    "PRAGMA synchronous = NORMAL",
)

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


class StorageError(TrchatError):
    """The database refused an operation, and neither a new file nor memory would help."""


def open_database(
    path: Path | None, migrations: Sequence[Migration], application_id: int, warn: Warn
) -> "Database":
    """Open the database at ``path``, made where missing, for the owner only; None keeps it in memory.

    ``migrations`` lead from an empty file to the present version, one a version; ``application_id`` marks the
    file as ours. ``warn`` gets one line for each trouble met on the way or later; nothing is raised for it.
    """
    return Database(path, Schema(application_id, migrations), warn)


class Database:
    """One connection for all threads of a process: a lock lets one operation in at a time.

    Operations are functions of the connection. They must do nothing but read and write through it, because
    after trouble they are run once more, on a new file or in memory.
    """

    def __init__(self, path: Path | None, schema: Schema, warn: Warn) -> None:
        self._schema = schema
        self._warn = warn
        self._lock = threading.RLock()
        self._closed = False
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._connection = self._open_file(path) if path else self._open_memory()

    @property
    def path(self) -> Path | None:
        """The file that is written to; None while everything is in memory only."""
        return self._path

    def read(self, operation: Operation[T]) -> T:
        """Run ``operation`` and return what it returns. Raises StorageError."""
        return self._run(operation)

    def write(self, operation: Operation[T]) -> T:
        """Run ``operation`` in one transaction: all of it is kept, or nothing. Raises StorageError."""

        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            result = operation(connection)
            connection.execute("COMMIT")
            return result

        with self._lock:
            if self._path and not self._closed and identity(self._path) != self._identity:
                # SQLite would go on writing to the deleted file, where nobody ever finds it.
                self._go_on_in_memory("it is gone")
            return self._run(transaction)

    def close(self) -> None:
        """Close the file; operations after this raise StorageError. Closing twice is fine."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _run(self, operation: Operation[T]) -> T:
        with self._lock:
            if self._closed:
                raise StorageError("the database is closed")
            # File, new file, copy in memory, empty memory: there is nothing more to try.
            for _ in range(4):
                try:
                    return operation(self._connection)
                except sqlite3.Error as error:
                    self._roll_back()
                    failure = error
                    if not self._recover(error):
                        break
                except BaseException:
                    self._roll_back()
                    raise
            raise StorageError(f"the database refused: {failure}") from failure

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _recover(self, error: sqlite3.Error) -> bool:
        """Put something better in place of the connection; False when nothing better is known."""
        if self._path is None:
            if not _damaged(error):
                return False
            self._replace(self._open_memory())
            return True
        if (reason := _out_of_reach(error)) is not None:
            self._go_on_in_memory(reason)
            return True
        before = self._identity
        path = self._path
        self._connection.close()
        self._connection = self._open_file(path, thorough=True)
        return self._path is None or self._identity != before

    def _replace(self, connection: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._connection = connection

    def _go_on_in_memory(self, reason: str) -> None:
        copy = self._memory_copy(self._connection)
        self._say_in_memory(reason)
        self._replace(copy or self._open_memory())

    def _say_in_memory(self, reason: str) -> None:
        self._warn(f"cannot write {self._path} ({reason}); going on in memory, nothing new will be saved")
        self._path = None

    def _open_file(self, path: Path, thorough: bool = False) -> sqlite3.Connection:
        reason = "it is damaged again and again"
        for _ in range(2):
            connection = None
            try:
                prepare_private_file(path)
                connection = _connect(path)
                self._schema.apply(connection, thorough)
                self._identity = identity(path)
                return connection
            except OSError as error:
                reason = error.strerror or str(error)
                break
            except (sqlite3.Error, UnusableError) as error:
                if connection is not None:
                    connection.close()
                if isinstance(error, sqlite3.Error) and (trouble := _out_of_reach(error)) is not None:
                    reason = trouble
                    break
                label, words = _verdict(error)
                try:
                    kept = set_aside(path, label)
                except OSError as refusal:
                    reason = f"it {words}, and cannot be renamed: {refusal.strerror or refusal}"
                    break
                self._warn(f"{path} {words}; it was renamed to {kept.name}, and a new one begun")
        self._say_in_memory(reason)
        return self._last_readable(path) or self._open_memory()

    def _last_readable(self, path: Path) -> sqlite3.Connection | None:
        """Return a copy of a file that can be read and not written; "immutable" needs no sidecars."""
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            try:
                source = sqlite3.connect(
                    f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S
                )
            except sqlite3.Error:
                continue
            with contextlib.closing(source):
                copy = self._memory_copy(source)
            if copy is not None:
                return copy
        return None

    def _memory_copy(self, source: sqlite3.Connection) -> sqlite3.Connection | None:
        copy = _connect(None)
        try:
            source.backup(copy, progress=_refuse_to_wait)
            self._schema.apply(copy, thorough=True)
        except (sqlite3.Error, UnusableError):
            copy.close()
            return None
        return copy

    def _open_memory(self) -> sqlite3.Connection:
        connection = _connect(None)
        self._schema.apply(connection)
        return connection


def _connect(path: Path | None) -> sqlite3.Connection:
    """Open without the module's own transactions, for any thread; the caller holds a lock."""
    connection = sqlite3.connect(
        path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        # A file may hold bytes that are no UTF-8; that is no reason to lose the rest of it.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        for pragma in _PRAGMAS:
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


def _refuse_to_wait(status: int, remaining: int, total: int) -> None:
    """Stop a backup whose source is locked; by itself it would try for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise sqlite3.OperationalError("locked")


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _out_of_reach(error: sqlite3.Error) -> str | None:
    return _UNREACHABLE.get(_primary_code(error))


def _damaged(error: sqlite3.Error) -> bool:
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _verdict(error: Exception) -> tuple[str, str]:
    return (error.label, error.reason) if isinstance(error, UnusableError) else ("damaged", "is damaged")
