"""Signals and a full disk: what there is of an answer is shown and kept."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.asking import FAST, history

pytestmark = pytest.mark.slow


@pytest.fixture
def endless(tiny_chat, tmp_path):
    """Start an answer that ends only when the context is full; returns the process."""
    grammar = tmp_path / "endless.gbnf"
    grammar.write_text('root ::= "ab" root')
    command = [sys.executable, "-m", "trchat", "ask", "-m", tiny_chat, "-t", "0", "--threads", "1"]
    return subprocess.Popen(
        [*map(str, command), "--draft", "off", "--grammar", str(grammar), "Go on!"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # so that communicate() misses nothing that was read before
    )


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupted_answer_is_kept_and_marked(endless, name):
    number = getattr(signal, name)
    first = endless.stdout.read(30)
    endless.send_signal(number)
    endless.send_signal(number)
    rest, errors = endless.communicate(timeout=120)
    assert (endless.returncode, errors) == (128 + number, b"")
    _, role, text, reason, _ = history()[-1]
    assert (role, reason) == ("assistant", "cancelled")
    assert (first + rest).decode() == text + "\n"
    assert text.startswith("a")


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_a_killed_answer_is_kept_as_interrupted(endless, home):
    endless.stdout.read(1)  # the question is written before the first letter is shown
    endless.kill()
    endless.communicate(timeout=120)
    rows = history()
    assert [row[1] for row in rows] == ["user", "assistant"]
    assert rows[1][4], "an answer nobody finished counts as interrupted"
    with sqlite3.connect(home / "conversations.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_an_interrupt_while_the_prompt_is_read(tiny_chat, tmp_path):
    long = tmp_path / "long.txt"
    long.write_text("word " * 330)
    child = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "ask", "-m", str(tiny_chat), "-f", str(long), "Sum up."],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert child.stdout.readline() == b"a batch is done\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=120) == (b"", b"")  # no further batch
    assert child.returncode == 130
    assert [row[1:4:2] for row in history()] == [("user", None), ("assistant", "cancelled")]


WATCHED = """
import os, signal, sys
from trchat.cli import main
from trchat.cli.streams import Notices
signals, arrived = os.pipe()
os.set_blocking(arrived, False)
signal.set_wakeup_fd(arrived)
def progress(self, text):
    if text.startswith("reading"):
        print("a batch is done", flush=True)
        os.read(signals, 1)
Notices.progress = progress
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_the_answer_is_kept(tiny_chat):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trchat", "ask", "-m", str(tiny_chat), *FAST, "Hi"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 1
    assert done.stderr == b"trchat: cannot write the answer: No space left on device\n"
    assert history()[-1][3] == "error"
