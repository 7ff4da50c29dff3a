"""Signals that end the chat: the answer is kept and marked, and the terminal is as it was."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.asking import history

pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")
pytestmark = pytest.mark.slow

LONGEST_S = 120
SWITCHED = ("?1049", "?1000", "?1003", "?1004", "?2004")


class Terminal:
    """The chat on a terminal of its own."""

    def __init__(self, model, *flags):
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.output = b""
        command = [sys.executable, "-m", "trchat", "-m", str(model), "--threads", "1", "-t", "0", *flags]
        self.process = subprocess.Popen(
            command,
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )

    def until(self, condition):
        end = time.monotonic() + LONGEST_S
        while not condition(self.output):
            assert time.monotonic() < end, self.output[-2000:]
            if select.select([self.ours], [], [], 0.2)[0]:
                self.output += os.read(self.ours, 65536)

    def type(self, text):
        os.write(self.ours, text.encode())

    def end(self, name):
        self.process.send_signal(getattr(signal, name))
        self.until(lambda _output: self.process.poll() is not None)
        while select.select([self.ours], [], [], 0)[0]:
            self.output += os.read(self.ours, 65536)
        return self.process.returncode

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def chat(tiny_chat):
    opened = []

    def start(*flags):
        opened.append(Terminal(tiny_chat, *flags))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def written(home):
    """Whether an answer has begun to be saved."""
    return (home / "conversations.db").exists() and any(row[1] == "assistant" for row in history())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_full_screen_chat_gives_the_terminal_back(chat, home, name):
    terminal = chat()
    terminal.until(lambda output: b"of 2,048" in output)
    terminal.type("Go on!\r")
    terminal.until(lambda _output: written(home))
    assert terminal.end(name) == 128 + getattr(signal, name), terminal.output[-1500:]
    said = terminal.output.decode("utf-8", "replace")
    for mode in SWITCHED:
        on, off = said.rfind(f"\x1b[{mode}h"), said.rfind(f"\x1b[{mode}l")
        assert off >= on, f"{mode} stays on"
    assert termios.tcgetattr(terminal.theirs) == terminal.before
    assert history()[-1][3] is not None, "the answer is marked"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_line_mode_keeps_the_answer(chat, home, name):
    terminal = chat("--plain")
    terminal.until(lambda output: b"You: " in output)
    terminal.type("Go on!\r")
    terminal.until(lambda _output: written(home))
    assert terminal.end(name) == 128 + getattr(signal, name), terminal.output[-1500:]
    assert termios.tcgetattr(terminal.theirs) == terminal.before
    assert history()[-1][3] is not None
    assert b"Traceback" not in terminal.output
