"""One SQLite file that never takes the program down with it.

A file that cannot be used (damaged, foreign) is set aside and a new one begun, with what could be read of a
damaged one. Where nothing can be written (a full disk, a read-only or vanished folder, a file of a newer
version) work goes on in memory, on a copy of what could still be read. Either way one line says so, and the
operation that met the trouble is run again.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from trchat.errors import TrchatError
from trchat.storage.connection import (
    BUSY_TIMEOUT_S,
    FAULTS,
    connect,
    is_damage,
    out_of_reach,
    refuse_to_wait,
)
from trchat.storage.files import identity, prepare_private_file, set_aside, sidecar
from trchat.storage.salvage import salvage
from trchat.storage.schema import Migration, Schema, UnusableError

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
Warn = Callable[[str], None]


class StorageError(TrchatError):
    """The database refused an operation, and neither a new file nor memory would help."""


def open_database(
    path: Path | None,
    migrations: Sequence[Migration],
    application_id: int,
    warn: Warn,
    mend: Callable[[sqlite3.Connection], object] | None = None,
) -> "Database":
    """Open the database at ``path``, made where missing, for the owner only; None keeps it in memory.

    ``migrations`` lead from an empty file to the present version, one a version; ``application_id`` marks the
    file as ours. ``warn`` gets one line for each trouble met on the way or later; nothing is raised for it.
    With ``mend``, the rows of a damaged file that can still be read are saved into the new one, and ``mend``
    makes them fit together.
    """
    return Database(path, Schema(application_id, migrations), warn, mend)


class Database:
    """One connection for all threads of a process: a lock lets one operation in at a time.

    Operations are functions of the connection. They must do nothing but read and write through it, because
    after trouble they are run once more, on a new file or in memory.
    """

    def __init__(
        self,
        path: Path | None,
        schema: Schema,
        warn: Warn,
        mend: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        self._schema = schema
        self._mend = mend
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

    def write(self, operation: Operation[T], *, durable: bool = False) -> T:
        """Run ``operation`` in one transaction: all of it is kept, or nothing. Raises StorageError.

        With ``durable``, it and all before it is on the disk when this returns, even if the power fails.
        """

        def transaction(connection: sqlite3.Connection) -> T:
            if durable:
                connection.execute("PRAGMA synchronous = FULL")
            try:
                connection.execute("BEGIN IMMEDIATE")
                result = operation(connection)
                connection.execute("COMMIT")
            finally:
                if durable and not connection.in_transaction:
                    connection.execute("PRAGMA synchronous = NORMAL")
            return result

        with self._lock:
            if self._path and not self._closed and identity(self._path) != self._identity:
                # SQLite would go on writing to the deleted file, where it is never found.
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
            for attempt in range(4):
                try:
                    return operation(self._connection)
                except FAULTS as error:
                    self._roll_back()
                    failure = error
                    if not self._recover(error, again=attempt > 0):
                        break
                except BaseException:
                    self._roll_back()
                    raise
            raise StorageError(f"the database refused: {failure}") from failure

    def _roll_back(self) -> None:
        with contextlib.suppress(*FAULTS):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _recover(self, error: Exception, again: bool) -> bool:
        """Put something better in place of the connection; False when nothing better is known."""
        path = self._path
        if path is None:
            if is_damage(error):
                self._replace(self._open_memory())
            return is_damage(error)
        if (reason := out_of_reach(error, path)) is not None:
            self._go_on_in_memory(reason)
            return True
        before = self._identity
        condemned = again and is_damage(error) and identity(path) == before
        self._connection.close()
        self._connection = self._open_file(path, thorough=True, condemned=condemned)
        return is_damage(error) or self._path is None or self._identity != before

    def _replace(self, connection: sqlite3.Connection) -> None:
        with contextlib.suppress(*FAULTS):
            self._connection.close()
        self._connection = connection

    def _go_on_in_memory(self, reason: str) -> None:
        copy = self._memory_copy(self._connection)
        self._say_in_memory(reason)
        self._replace(copy or self._open_memory())

    def _say_in_memory(self, reason: str) -> None:
        self._warn(f"cannot write {self._path} ({reason}); going on in memory, nothing new will be saved")
        self._path = None

    def _open_file(self, path: Path, thorough: bool = False, condemned: bool = False) -> sqlite3.Connection:
        """Open the file, or a new one in its place, or memory; ``condemned`` wants a new one in any case."""
        reason = "it is damaged again and again"
        for _ in range(3):
            connection = opened = None
            try:
                prepare_private_file(path)
                opened = identity(path)
                if condemned:
                    condemned = False
                    raise UnusableError("damaged", "is damaged")
                connection = connect(path)
                _refuse_cut_short(connection, path)
                self._schema.apply(connection, thorough)
                self._identity = opened
                return connection
            except OSError as error:
                reason = error.strerror or str(error)
                break
            except (*FAULTS, UnusableError) as error:
                if connection is not None:
                    connection.close()
                if (trouble := out_of_reach(error, path)) is not None:
                    reason = trouble
                    break
                if identity(path) != opened:
                    # Another process met the same trouble and was faster.
                    continue
                label, words = _verdict(error)
                if label == "newer":  # it is whole, and its owner's
                    reason = f"it {words}"
                    break
                try:
                    kept = set_aside(path, label)
                except OSError as refusal:
                    reason = f"it {words}, and cannot be renamed: {refusal.strerror or refusal}"
                    break
                began = "a new one begun"
                if label == "damaged" and self._mend is not None:
                    began = self._salvage(kept, path) or began
                self._warn(f"{path} {words}; it was renamed to {kept.name}, and {began}")
        self._say_in_memory(reason)
        return self._last_readable(path) or self._open_memory()

    def _salvage(self, kept: Path, path: Path) -> str:
        """Begin a new file with what can be read of ``kept``; returns what to say, nothing if nothing can."""
        assert self._mend is not None
        try:
            prepare_private_file(path)
            with contextlib.closing(connect(path)) as connection:
                self._schema.apply(connection)
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.execute("BEGIN IMMEDIATE")
                saved, lost = salvage(kept, connection, self._schema.tables())
                self._mend(connection)
                connection.execute("COMMIT")
        except (*FAULTS, OSError, UnusableError):
            return ""
        if not saved:
            return ""
        return f"a new one begun with the {saved} rows that could be read" + (
            f"; {lost} could not" if lost else ""
        )

    def _last_readable(self, path: Path) -> sqlite3.Connection | None:
        """Return a copy of a file that can be read and not written; "immutable" needs no sidecars."""
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            try:
                source = sqlite3.connect(
                    f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S
                )
            except FAULTS:
                continue
            with contextlib.closing(source):
                copy = self._memory_copy(source)
            if copy is not None:
                return copy
        return None

    def _memory_copy(self, source: sqlite3.Connection) -> sqlite3.Connection | None:
        copy = connect(None)
        try:
            source.backup(copy, progress=refuse_to_wait)
            self._schema.apply(copy, thorough=True)
            # Some damage makes SQLite take even a copy for read-only.
            copy.execute(f"PRAGMA user_version = {self._schema.version:d}")
        except (*FAULTS, UnusableError):
            copy.close()
            return None
        return copy

    def _open_memory(self) -> sqlite3.Connection:
        connection = connect(None)
        self._schema.apply(connection)
        return connection


def _refuse_cut_short(connection: sqlite3.Connection, path: Path) -> None:
    """SQLite misses pages that are not there, but reads half a page as if the rest were zeros."""
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    log = sidecar(path, "-wal")
    # While a log exists, it has the last pages, and the file may end anywhere.
    if not (log.exists() and log.stat().st_size) and path.stat().st_size % page_size:
        raise UnusableError("damaged", "is damaged")


def _verdict(error: Exception) -> tuple[str, str]:
    return (error.label, error.reason) if isinstance(error, UnusableError) else ("damaged", "is damaged")
