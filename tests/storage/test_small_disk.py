"""A real disk of half a megabyte that runs full, and one that may only be read, also for root.

The disk is a tmpfs in a mount namespace of the process's own, so nothing outside sees it.
"""

import os
import shutil
import subprocess
import sys

import pytest

from tests.storage.processes import ROOT

pytestmark = pytest.mark.slow

COMMON = """
import os, sqlite3, sys
from pathlib import Path
from tests.storage.recycled.learned import expected, identity, known, one, teach, teach_at_random
import numpy as np
from trchat.storage.conversations import history_file, open_history
from trchat.storage.recycled.files import open_memory, store_file

home = Path(os.environ["TRCHAT_HOME"])
tokens = list(range(0, 300, 3))

def saved(memory, who="auto"):
    memory.save(who, one())
    assert memory._writer.wait(60)

def first_state():
    memory = open_memory(identity(), "cpu", sys.exit)
    teach(memory.knowledge, tokens, tokens)
    saved(memory)
    assert memory.close(60)
    history = open_history(sys.exit)
    chat = history.create_conversation("Before")
    history.add_message(chat.id, "user", "kept")
    history.close()

def the_first_state_is_there():
    for file in (store_file(identity()), history_file()):
        database = sqlite3.connect(file)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
    memory = open_memory(identity(), "cpu", sys.exit)
    assert known(memory.knowledge, tokens) == expected(tokens)
    assert memory.close(60)
    history = open_history(sys.exit)
    chat = next(each for each in history.conversations() if each.title == "Before")
    assert [each.text for each in history.thread(chat.id)][:1] == ["kept"]
    history.close()
"""

FULL = """
first_state()
ballast = home / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
told = []
memory = open_memory(identity(), "cpu", told.append)
assert known(memory.knowledge, tokens) == expected(tokens)
random = np.random.default_rng(0)
for number in range(3):
    teach_at_random(memory.knowledge, random, 9000, 5000)
    saved(memory)
memory.close(60)
assert len(told) == 1, told
history = open_history(told.append)
chat = history.create_conversation("While full")
texts = [f"question {number} " * 2000 for number in range(20)]
for text in texts:
    history.add_message(chat.id, "user", text)
assert sorted(each.text for each in history.messages(chat.id)) == sorted(texts), "it goes on in memory"
history.close()
assert len(told) == 2 and not any(chr(10) in line for line in told), told
ballast.unlink()
the_first_state_is_there()
print(*told, sep=chr(10))
"""

READ_ONLY = """
import subprocess
first_state()
subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
told = []
memory = open_memory(identity(), "cpu", told.append)
assert known(memory.knowledge, tokens) == expected(tokens), "what could be read is used"
teach(memory.knowledge, tokens, [token + 1 for token in tokens])
saved(memory)
memory.close(60)
assert len(told) == 1, told
history = open_history(told.append)
chat = next(each for each in history.conversations() if each.title == "Before")
history.add_message(chat.id, "user", "not kept")
assert len(history.messages(chat.id)) == 2
history.close()
assert len(told) == 2 and not any(chr(10) in line for line in told), told
subprocess.run(["mount", "-o", "remount,rw", str(home)], check=True)
the_first_state_is_there()
print(*told, sep=chr(10))
"""


@pytest.fixture
def on_small_disk(tmp_path):
    """Run a script with its home on a disk of its own; returns what it printed."""
    if not shutil.which("unshare"):
        pytest.skip("no mount namespaces on this system")
    disk = tmp_path / "disk"
    disk.mkdir()
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
    mount = 'mount -t tmpfs -o size=512k,mode=0700 tmpfs "$TRCHAT_HOME"; '
    environment = {**os.environ, "TRCHAT_HOME": str(disk)}
    tried = subprocess.run([*inside, mount + "true"], env=environment, capture_output=True)
    if tried.returncode:
        pytest.skip(f"no mount namespaces here: {tried.stderr.decode().strip()}")

    def run(script):
        done = subprocess.run(
            [*inside, mount + 'exec "$@"', "sh", sys.executable, "-c", COMMON + script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_a_disk_that_is_full(on_small_disk):
    recycled, history = on_small_disk(FULL)
    assert "recycled" in recycled and "the disk is full" in recycled
    assert "conversations.db" in history and "the disk is full" in history


def test_a_disk_that_may_only_be_read(on_small_disk):
    recycled, history = on_small_disk(READ_ONLY)
    assert "recycled" in recycled and "going on in memory" in recycled
    assert "conversations.db" in history and "going on in memory" in history
