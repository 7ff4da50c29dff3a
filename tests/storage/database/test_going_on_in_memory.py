"""When nothing can be written any more, work goes on in memory, and the user is told once."""

import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.storage.database.notes import POSIX, add, texts

ROOT = Path(__file__).parents[3]


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
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
question = store.add_message(chat.id, "user", "x" * 100_000)
answer = store.begin_answer(question.id)
for size in range(10):
    assert store.update_answer(answer.id, "y" * 50_000 * size)
assert store.finish_answer(answer.id, "y" * 500_000, "stop")
assert len(store.thread(chat.id)[1].text) == 500_000 and store.path is None
store.close()
resource.setrlimit(resource.RLIMIT_FSIZE, before)  # what measures coverage writes its file at exit
print("went on")
"""


@pytest.mark.skipif(not POSIX, reason="no file size limits on Windows")
def test_a_file_size_limit(tmp_path):
    """The kernel itself refuses to write, in the middle of an answer."""
    file = tmp_path / "conversations.db"
    command = [sys.executable, "-c", LIMITED, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
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
if os.getuid() == 0:
    os.seteuid(0)  # what measures coverage writes its file at exit
"""


@pytest.mark.skipif(not POSIX, reason="modes mean nothing on Windows")
def test_a_read_only_folder_can_still_be_read(tmp_path):
    """Old conversations are there, new ones live in memory; as root the test becomes somebody else."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", READ_ONLY, folder]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        Path(folder).chmod(0o700)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("None 1 ")
