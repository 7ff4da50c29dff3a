"""Files that cannot be used are set aside, whole and with a word to the user, never overwritten."""

import sqlite3

import pytest

from tests.storage.database.notes import add, raw, set_aside, texts
from trchat.storage.files import set_aside as rename_aside


def damaged(file):
    data = file.read_bytes()
    file.write_bytes(data[:100] + b"\xff" * (len(data) - 100))


BAD_FILES = {
    "garbage": ("damaged", lambda file: file.write_bytes(b"no database " * 1000)),
    "one byte too long": ("damaged", lambda file: file.write_bytes(file.read_bytes() + b"x")),
    "overwritten": ("damaged", damaged),
    "truncated": ("damaged", lambda file: file.write_bytes(file.read_bytes()[:5000])),
    "foreign": ("foreign", lambda file: raw(file, "PRAGMA application_id = 7")),
    "unmarked": ("foreign", lambda file: raw(file, "PRAGMA application_id = 0")),
    "no version": ("damaged", lambda file: raw(file, "PRAGMA user_version = 0")),
    "table lost": ("damaged", lambda file: raw(file, "DROP TABLE notes")),
    "column lost": ("damaged", lambda file: raw(file, "ALTER TABLE notes RENAME text TO tixt")),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_used_is_set_aside(opened, file, warnings, case):
    label, spoil = BAD_FILES[case]
    database = opened()
    database.write(add("one"))
    database.close()
    spoil(file)
    spoiled = file.read_bytes()
    database = opened()
    assert database.write(add("two")) == 1
    assert (database.read(texts), database.path) == (["two"], file)
    (kept,) = set_aside(file)
    assert kept.name.startswith(f"notes.db.{label}-") and kept.read_bytes() == spoiled
    assert len(warnings) == 1 and str(file) in warnings[0] and kept.name in warnings[0]
    database.close()
    assert opened().read(texts) == ["two"]


def test_a_newer_file_is_left_as_it_is(opened, file, warnings):
    database = opened()
    database.write(add("one"))
    database.close()
    raw(file, "PRAGMA user_version = 9")
    theirs = file.read_bytes()
    database = opened()
    assert database.write(add("two")) == 1 and database.path is None
    database.close()
    assert file.read_bytes() == theirs and set_aside(file) == []
    assert len(warnings) == 1 and "newer trchat" in warnings[0] and "nothing new will be saved" in warnings[0]


def test_files_set_aside_in_the_same_second_do_not_overwrite_each_other(opened, file):
    for _ in range(3):
        opened().close()
        file.write_bytes(b"garbage" * 100)
    opened()
    assert len(set_aside(file)) == 3


def test_damage_that_shows_later_is_handled_then(opened, file, warnings):
    database = opened()
    database.write(lambda db: [add("x" * 3000)(db) for _ in range(50)] and None)
    database.close()
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    file.write_bytes(data)
    database = opened()
    assert warnings == []
    assert database.read(texts) == []
    assert database.write(add("new")) == 1
    assert len(warnings) == 1 and "is damaged" in warnings[0]
    assert len(set_aside(file)) == 1


def test_a_write_ahead_log_moves_with_its_file(opened, file, tmp_path, warnings):
    """Rows that a killed program left in the log stay with their file, and never get into the new one."""
    theirs = sqlite3.connect(tmp_path / "theirs.db", isolation_level=None)
    theirs.execute("PRAGMA journal_mode = WAL")
    theirs.execute("CREATE TABLE theirs (text)")
    theirs.execute("INSERT INTO theirs VALUES ('in the log')")
    file.parent.mkdir()
    for ending in ("", "-wal"):
        (file.parent / (file.name + ending)).write_bytes((tmp_path / f"theirs.db{ending}").read_bytes())
    theirs.close()
    database = opened()
    assert (database.write(add("mine")), database.read(texts), len(warnings)) == (1, ["mine"], 1)
    kept = min(set_aside(file), key=lambda path: len(path.name))
    after = sqlite3.connect(kept)
    assert after.execute("SELECT text FROM theirs").fetchall() == [("in the log",)]
    after.close()


def test_sidecars_are_renamed_so_that_sqlite_finds_them(tmp_path):
    for name in ("x.db", "x.db-wal", "x.db-shm"):
        (tmp_path / name).write_text(name)
    kept = rename_aside(tmp_path / "x.db", "damaged")
    assert kept.read_text() == "x.db" and kept.name.startswith("x.db.damaged-")
    assert {path.name for path in tmp_path.iterdir()} == {kept.name, f"{kept.name}-wal", f"{kept.name}-shm"}
