"""What can go wrong with the disk under a model's memory: the answer goes on, and one line says so."""

import errno
import io
import os
import shutil
import signal
import threading

import numpy as np
import pytest

from tests.storage.recycled.learned import (
    TOKENS,
    VOCABULARY,
    expected,
    identity,
    known,
    one,
    saved,
    teach,
    teach_at_random,
)
from trchat.storage.recycled import files
from trchat.storage.recycled.files import export_store, open_memory, store_file
from trchat.storage.recycled.store import RecycledStore


def test_a_slow_disk_never_stalls_decoding(warnings):
    memory = open_memory(identity(), "cpu", warnings.append)
    reached, go_on = threading.Event(), threading.Event()
    real = RecycledStore.save

    def slow(self, change):
        reached.set()
        assert go_on.wait(60)
        return real(self, change)

    patch = pytest.MonkeyPatch()
    patch.setattr(RecycledStore, "save", slow)
    teach(memory.knowledge, [1], [10])
    assert memory.save("auto", one())
    assert reached.wait(60)
    teach(memory.knowledge, [2], [20])
    assert not memory.save("auto", one()), "comes back while the disk is still at work"
    teach(memory.knowledge, [3], [30])
    assert not memory.save("auto", one())
    go_on.set()
    assert memory.close(60)
    patch.undo()
    again = open_memory(identity(), "cpu", warnings.append)
    assert known(again.knowledge, [1, 2, 3]) == expected([10, 20, 30])
    assert again.close(30)
    assert warnings == []


def test_a_disk_that_never_answers_does_not_keep_the_program(warnings, monkeypatch):
    memory = open_memory(identity(), "cpu", warnings.append)
    reached, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(RecycledStore, "save", lambda self, change: reached.set() or go_on.wait(60))
    teach(memory.knowledge, [1], [10])
    memory.save("auto", one())
    assert reached.wait(60)
    assert not memory.close(0.01)
    go_on.set()


def goes_on(memory, told):
    """The memory works as if nothing were wrong, and says so once."""
    for number in range(3):
        teach(memory.knowledge, TOKENS, [token + number for token in TOKENS])
        memory.save("auto", one())
        assert memory._writer.wait(60)
    assert known(memory.knowledge, TOKENS) == expected([token + 2 for token in TOKENS])
    memory.close(60)
    assert len(told) == 1 and "\n" not in told[0], told


def test_a_vanished_folder(warnings):
    saved(warnings)
    memory = open_memory(identity(), "cpu", warnings.append)
    assert known(memory.knowledge, TOKENS) == expected(TOKENS)
    shutil.rmtree(files.recycled_dir())
    goes_on(memory, warnings)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder(warnings):
    saved(warnings)
    files.recycled_dir().chmod(0o500)
    store_file(identity()).chmod(0o400)
    try:
        memory = open_memory(identity(), "cpu", warnings.append)
        assert known(memory.knowledge, TOKENS) == expected(TOKENS)
        goes_on(memory, warnings)
    finally:
        files.recycled_dir().chmod(0o700)


def test_a_folder_that_cannot_be_made(home, warnings):
    home.mkdir()
    (home / "recycled").write_text("a file where the folder should be")
    goes_on(open_memory(identity(), "cpu", warnings.append), warnings)


def test_a_full_disk(warnings):
    """The largest size of a file stands for the end of the disk."""
    resource = pytest.importorskip("resource")
    saved(warnings)
    whole = store_file(identity()).read_bytes()
    random = np.random.default_rng(1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 40_000, before[1]))
    try:
        memory = open_memory(identity(), "cpu", warnings.append)
        teach_at_random(memory.knowledge, random, 9000, VOCABULARY)
        goes_on(memory, warnings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    warnings.clear()
    again = open_memory(identity(), "cpu", warnings.append)
    assert known(again.knowledge, TOKENS) == expected(TOKENS), "the old state"
    assert again.close(30)
    assert warnings == []


def test_half_an_export_is_not_left_behind(warnings, tmp_path, monkeypatch):
    saved(warnings)

    class FullDisk(io.FileIO):
        def write(self, content):
            super().write(content[:1000])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdopen", FullDisk)
    with pytest.raises(OSError, match="No space"):
        export_store(store_file(identity()), tmp_path / "copy.db")
    assert list(tmp_path.glob("copy*")) == []
    monkeypatch.undo()
    (tmp_path / "copy.db").write_text("somebody's")
    with pytest.raises(FileExistsError):
        export_store(store_file(identity()), tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "somebody's"
