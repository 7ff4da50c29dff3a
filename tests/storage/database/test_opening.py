"""Opening a database, writing, reading and migrations."""

import sqlite3
import stat

import pytest

from tests.storage.database.notes import OURS, POSIX, add, first, second, set_aside, texts, unfit
from trchat.storage.database import StorageError


def test_what_is_written_is_there_next_time(opened, file, warnings):
    database = opened()
    assert (database.write(add("one")), database.path) == (1, file)
    database.close()
    assert opened().read(texts) == ["one"]
    assert warnings == []


def test_settings_that_crash_safety_rests_on(opened):
    database = opened()

    def pragma(name):
        return database.read(lambda db: db.execute(f"PRAGMA {name}").fetchone()[0])

    assert pragma("journal_mode") == "wal"
    assert (pragma("synchronous"), pragma("foreign_keys"), pragma("busy_timeout")) == (1, 1, 5000)
    assert (pragma("user_version"), pragma("application_id")) == (1, OURS)
    assert pragma("trusted_schema") == 0


@pytest.mark.skipif(not POSIX, reason="modes mean nothing on Windows")
def test_only_the_owner_can_read(opened, file):
    database = opened()
    database.write(add("one"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"notes.db": 0o600, "notes.db-wal": 0o600, "notes.db-shm": 0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(not POSIX, reason="modes mean nothing on Windows")
def test_a_file_that_others_could_read_is_closed_to_them(opened, file):
    opened().close()
    file.chmod(0o644)
    opened()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_failed_write_leaves_nothing(opened, warnings):
    database = opened()

    def half(connection):
        add("half")(connection)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        database.write(half)
    assert database.write(add("next")) == 1
    assert (database.read(texts), warnings) == (["next"], [])


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM nowhere", "nonsense", "INSERT INTO notes (id) VALUES ('x')"]
)
def test_a_wrong_statement_costs_neither_the_file_nor_a_warning(opened, file, warnings, statement):
    database = opened()
    database.write(add("one"))
    for call in (database.write, database.read):
        with pytest.raises(StorageError):
            call(lambda db: db.execute(statement))
    assert (database.read(texts), database.path, warnings, set_aside(file)) == (["one"], file, [], [])


def test_migrations_run_once_each_and_keep_the_rows(opened):
    database = opened()
    database.write(add("one"))
    database.close()
    for _ in range(2):
        database = opened((first, second))
        assert database.read(lambda db: db.execute("SELECT text, stars FROM notes").fetchall()) == [
            ("ONE", 1)
        ]
        assert database.read(lambda db: db.execute("PRAGMA user_version").fetchone()) == (2,)
        database.close()


def test_a_migration_that_fails_keeps_the_old_file_whole(opened, file, warnings):
    database = opened()
    database.write(add("one"))
    database.write(add("two"))
    database.close()
    assert opened((first, unfit)).read(texts) == []
    (old,) = set_aside(file)
    before = sqlite3.connect(old)
    assert (texts(before), before.execute("PRAGMA user_version").fetchone()) == (["one", "two"], (1,))
    before.close()
    assert len(warnings) == 1
