"""Opening a file, whatever its state, and going on when it fails later."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trchat.storage.database import StorageError, open_database
from trchat.storage.files import set_aside as rename_aside

OURS = 0x74657374
POSIX = sys.platform != "win32"


def first(connection):
    connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")


def second(connection):
    connection.execute("ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 1")
    connection.execute("UPDATE notes SET text = upper(text)")


def unfit(connection):
    """A migration that does not get along with notes that are there twice."""
    connection.execute("UPDATE notes SET text = 'changed'")
    connection.execute("CREATE UNIQUE INDEX once ON notes (text)")


def add(text):
    return lambda connection: connection.execute("INSERT INTO notes (text) VALUES (?)", (text,)).lastrowid


def texts(connection):
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "notes.db"


@pytest.fixture
def opened(file, warnings):
    """Open the file again and again, and close all of it at the end."""
    databases = []

    def opened(migrations=(first,), path=file):
        databases.append(open_database(path, migrations, OURS, warnings.append))
        return databases[-1]

    yield opened
    for database in databases:
        database.close()


def set_aside(file):
    return [path for path in file.parent.iterdir() if path.name.startswith(file.name + ".")]


def raw(file, *statements):
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


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


def damaged(file):
    data = file.read_bytes()
    file.write_bytes(data[:100] + b"\xff" * (len(data) - 100))


BAD_FILES = {
    "garbage": ("damaged", lambda file: file.write_bytes(b"no database " * 1000)),
    "one byte too long": ("damaged", lambda file: file.write_bytes(file.read_bytes() + b"x")),
    "overwritten": ("damaged", damaged),
    "truncated": ("damaged", lambda file: file.write_bytes(file.read_bytes()[:5000])),
    "newer": ("newer", lambda file: raw(file, "PRAGMA user_version = 9")),
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


def test_a_folder_that_cannot_be_made(opened, tmp_path, warnings):
    (tmp_path / "file").write_text("in the way")
    database = opened(path=tmp_path / "file" / "notes.db")
    assert database.write(add("one")) == 1
    assert (database.read(texts), database.path) == (["one"], None)
    assert len(warnings) == 1 and "going on in memory" in warnings[0]


def test_a_folder_where_the_file_should_be(opened, file, warnings):
    file.mkdir(parents=True)
    database = opened()
    assert (database.write(add("one")), database.path, len(warnings)) == (1, None, 1)


@pytest.mark.skipif(not POSIX, reason="Windows does not delete open files")
def test_a_vanished_folder(opened, file, warnings):
    database = opened()
    database.write(add("one"))
    for path in file.parent.iterdir():
        path.unlink()
    file.parent.rmdir()
    for text in ("two", "three"):
        database.write(add(text))
    assert database.read(texts) == ["one", "two", "three"]
    assert (database.path, file.parent.exists()) == (None, False)
    assert len(warnings) == 1 and "it is gone" in warnings[0]


def test_a_full_disk(opened, warnings):
    database = opened()
    database.write(add("one"))
    database.read(lambda db: db.execute("PRAGMA max_page_count = 10").fetchone())
    for _ in range(3):
        database.write(add("x" * 100_000))
    assert [len(text) for text in database.read(texts)] == [3, 100_000, 100_000, 100_000]
    assert len(warnings) == 1 and "the disk is full" in warnings[0]
    database.close()
    assert opened().read(texts) == ["one"]


def test_a_locked_file(opened, file, warnings):
    database = opened()
    database.write(add("one"))
    database.read(lambda db: db.execute("PRAGMA busy_timeout = 0"))
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database.write(add("two"))
    assert database.read(texts) == ["one", "two"]
    assert len(warnings) == 1 and "locked" in warnings[0]
    holder.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from trchat.storage.conversations import ConversationStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = ConversationStore(Path(sys.argv[1]), lambda line: print("warned", line))
chat = store.create_conversation("kept")
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
question = store.add_message(chat.id, "user", "x" * 100_000)
answer = store.begin_answer(question.id)
for size in range(10):
    assert store.update_answer(answer.id, "y" * 50_000 * size)
assert store.finish_answer(answer.id, "y" * 500_000, "stop")
assert len(store.thread(chat.id)[1].text) == 500_000 and store.path is None
store.close()
print("went on")
"""


@pytest.mark.skipif(not POSIX, reason="no file size limits on Windows")
def test_a_file_size_limit(tmp_path):
    """The kernel itself refuses to write, in the middle of an answer."""
    file = tmp_path / "conversations.db"
    command = [sys.executable, "-c", LIMITED, str(file)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines), lines[-1]) == (0, "", 2, "went on")
    assert lines[0].startswith("warned cannot write")
    after = sqlite3.connect(file)
    assert after.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert after.execute("SELECT title FROM conversations").fetchone() == ("kept",)
    after.close()


READ_ONLY = """
import os, sys, tempfile
from pathlib import Path
from trchat.storage.conversations import ConversationStore
folder = Path(sys.argv[1])
folder.chmod(0o755)
store = ConversationStore(folder / "conversations.db", lambda line: sys.exit(line))
chat = store.create_conversation("old")
store.close()
for path in folder.iterdir():
    path.chmod(0o444)
folder.chmod(0o555)
if os.geteuid() == 0:
    os.chown(folder, 12345, 12345)
    os.chown(folder / "conversations.db", 12345, 12345)
    os.setgroups([])
    os.setegid(12345)
    os.seteuid(12345)
warnings = []
store = ConversationStore(folder / "conversations.db", warnings.append)
assert store.conversation(chat.id).title == "old"
added = store.create_conversation("new")
assert [chat.title for chat in store.conversations()] == ["new", "old"]
store.close()
print(store.path, len(warnings), warnings)
"""


@pytest.mark.skipif(not POSIX, reason="modes mean nothing on Windows")
def test_a_read_only_folder_can_still_be_read(tmp_path):
    """Old conversations are there, new ones live in memory; as root the test becomes somebody else."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", READ_ONLY, folder]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60, check=False)
        Path(folder).chmod(0o700)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("None 1 ")
