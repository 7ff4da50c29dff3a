"""One model's store: everything that is read from it, and saving as one transaction."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path

from trchat.storage.database import StorageError, Warn, open_database
from trchat.storage.files import PRIVATE_FILE_MODE, set_aside
from trchat.storage.recycled import hit_rates, metadata, segments
from trchat.storage.recycled.records import Change, Identity, Loaded, Saved, Totals
from trchat.storage.recycled.rows import MAX_GENERATION
from trchat.storage.recycled.schema import APPLICATION_ID, MIGRATIONS
from trchat.storage.recycled.tables import shapes_of

MAX_SETTINGS = 16
"""Step costs are kept for so many combinations of device, threads and cache type."""

_BINARY = getattr(os, "O_BINARY", 0)  # on Windows, or line ends are changed
_CACHE_PAGES = 32  # SQLite's own memory counts too


class RecycledStore:
    """The file at ``path``. Every method may raise StorageError; trouble with the file goes to ``warn``."""

    def __init__(
        self, path: Path, identity: Identity | None, warn: Warn, clock: Callable[[], float] = time.time
    ) -> None:
        """Open or make the file; one that belongs to another model is set aside like a damaged one.

        Without an ``identity`` the file is taken for whose it says it is.
        """
        self._clock = clock
        self._database = open_database(path, MIGRATIONS, APPLICATION_ID, warn)
        found = self._database.read(metadata.read)
        self._identity = identity or metadata.owner(found)
        self._shapes = shapes_of(self._identity.vocabulary)
        if found.get("weights", self._identity.weights) != self._identity.weights and self.path:
            self._database.close()
            try:
                kept = set_aside(path, "foreign")
            except OSError as error:
                raise StorageError(f"{path} belongs to another model: {error.strerror or error}") from error
            warn(f"{path} belongs to another model; it was renamed to {kept.name}, and a new one begun")
            self._database = open_database(path, MIGRATIONS, APPLICATION_ID, warn)
        self._database.read(lambda db: db.execute(f"PRAGMA cache_size = {_CACHE_PAGES:d}").fetchall())

    @property
    def identity(self) -> Identity:
        """Whose store it is."""
        return self._identity

    @property
    def path(self) -> Path | None:
        """The file that is written to; None while nothing can be saved."""
        return self._database.path

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        self._database.close()

    def load(self) -> Loaded:
        """All rows and the calibration."""

        def operation(db: sqlite3.Connection) -> Loaded:
            reset_at = metadata.reset_at(db)
            newest = segments.newest(db)
            found = segments.read(db, self._shapes)
            rows = {source: saved.aged(newest) for source, saved in found.items()}
            return Loaded(max(newest, reset_at), rows, _calibration(db), bool(reset_at), _totals(db))

        return self._database.read(operation)

    def reset(self) -> None:
        """Forget everything. A process that goes on learning adds to the empty store what is new from now on.

        Emptied in place, for a file that was deleted would still be written to by whoever has it open.
        """

        def operation(db: sqlite3.Connection) -> None:
            generation = max(segments.newest(db), metadata.reset_at(db)) + 1
            for table in ("segments", "calibration", "step_costs", "totals", "about"):
                db.execute(f"DELETE FROM {table}")
            metadata.sign(db, self._identity, self._clock())
            metadata.mark_reset(db, generation)

        self._database.write(operation)
        self._database.read(_free)
        self._checkpoint()

    def costs(self, setting: str) -> str | None:
        """The step costs saved for ``setting``, as they were given."""

        def operation(db: sqlite3.Connection) -> str | None:
            found = db.execute("SELECT costs FROM step_costs WHERE setting = ?", (setting,)).fetchone()
            return found[0] if found and isinstance(found[0], str) else None

        return self._database.read(operation)

    def totals(self) -> dict[str, Totals]:
        """Counts since the first day, or since all was forgotten, by draft mode."""
        return self._database.read(_totals)

    def about(self) -> dict[str, str | int | float]:
        """Whose store it is, and ``created_at`` and ``updated_at`` in seconds since 1970."""
        return self._database.read(metadata.read)

    def row_counts(self) -> dict[str, int]:
        """Rows by source."""
        return self._database.read(lambda db: segments.count_rows(db, self._shapes))

    def rows_left_out(self) -> int:
        """Rows that other versions of trchat saved and this one cannot use."""
        return self._database.read(lambda db: segments.count_unknown(db, self._shapes))

    def rates(self) -> list[tuple[str, float, float]]:
        """For each source of guesses: its name, how many came true lately, and of how many."""
        found = self._database.read(_calibration)
        return hit_rates.by_source(found) if found is not None else []

    def copy_to(self, target: Path) -> None:
        """Write all of the store into a new file ``target``, for its owner's eyes only. Raises OSError."""
        content = self._database.read(lambda db: bytes(db.serialize()))
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, PRIVATE_FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink()  # half a store would be taken for a whole one
            raise

    def save(self, change: Change) -> Saved:
        """Write ``change`` in one transaction, beside and not over what other processes have saved."""

        def operation(db: sqlite3.Connection) -> Saved:
            segments.drop_useless(db, self._shapes)
            generation = max(segments.newest(db), metadata.reset_at(db)) + 1
            if generation >= MAX_GENERATION - 1:
                # It cannot have been saved that often: the file was made up.
                db.execute("DELETE FROM segments")
                metadata.mark_reset(db, 0)
                generation = 1
            foreign = segments.read(db, self._shapes, change.seen) if generation > change.seen + 1 else {}
            calibration = self._save_calibration(db, change)
            self._save_costs(db, change)
            self._save_totals(db, change.totals)
            metadata.sign(db, self._identity, self._clock())
            segments.add(db, self._shapes, change.rows, generation, segments.room_beside(_other_bytes(db)))
            return Saved(change, generation, foreign, calibration)

        saved = self._database.write(operation)
        self._checkpoint()
        return saved

    def _checkpoint(self) -> None:
        # Keeps the log, which counts as disk space too, from staying as large as the largest save.
        self._database.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    @staticmethod
    def _save_calibration(db: sqlite3.Connection, change: Change) -> hit_rates.Vector | None:
        if change.before is None or change.after is None:
            return None
        base = _calibration(db)
        if base is None and change.seen < metadata.reset_at(db):
            base = hit_rates.nothing_learned()  # what this process knew before was to be forgotten
        joint = change.after if base is None else hit_rates.add(base, change.before, change.after)
        db.execute("DELETE FROM calibration")
        db.execute("INSERT INTO calibration VALUES (?, ?)", (hit_rates.layout(), hit_rates.encode(joint)))
        return joint

    def _save_costs(self, db: sqlite3.Connection, change: Change) -> None:
        if change.costs is None:
            return
        now = self._clock()
        db.execute("INSERT OR REPLACE INTO step_costs VALUES (?, ?, ?)", (change.setting, change.costs, now))
        db.execute(
            "DELETE FROM step_costs WHERE setting NOT IN"
            " (SELECT setting FROM step_costs ORDER BY saved_at DESC LIMIT ?)",
            (MAX_SETTINGS,),
        )

    @staticmethod
    def _save_totals(db: sqlite3.Connection, totals: Mapping[str, Totals]) -> None:
        for draft, counts in totals.items():
            sums = _totals(db).get(draft, Totals()) + counts
            db.execute("INSERT OR REPLACE INTO totals VALUES (?, ?, ?, ?, ?, ?)", (draft, *astuple(sums)))


def _free(db: sqlite3.Connection) -> None:
    """Give back pages that are free now: what was learned about a person's texts should not stay readable."""
    with contextlib.suppress(sqlite3.OperationalError):  # another process is writing: its pages are no secret
        db.execute("VACUUM")


def _other_bytes(db: sqlite3.Connection) -> int:
    """What the values beside the segments take."""
    (size,) = db.execute(
        "SELECT (SELECT coalesce(sum(length(data)), 0) FROM calibration)"
        " + (SELECT coalesce(sum(length(costs) + length(setting)), 0) FROM step_costs)"
    ).fetchone()
    return int(size)


def _calibration(db: sqlite3.Connection) -> hit_rates.Vector | None:
    found = db.execute("SELECT data FROM calibration WHERE layout = ?", (hit_rates.layout(),)).fetchone()
    return hit_rates.decode(found[0]) if found and isinstance(found[0], bytes) else None


def _totals(db: sqlite3.Connection) -> dict[str, Totals]:
    found = {}
    for draft, *counts in db.execute(
        "SELECT draft, answers, tokens, steps, drafted, accepted FROM totals LIMIT 100"
    ):
        sound = [value if isinstance(value, int) and 0 <= value < 1 << 53 else 0 for value in counts]
        if isinstance(draft, str):
            found[draft] = Totals(*sound)
    return found
