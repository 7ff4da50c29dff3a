"""The whole program in a real terminal, with the demo model."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from time import monotonic

import pytest

LONGEST_S = 90


@pytest.fixture
def terminal(tmp_path, home):
    """A terminal of 100 x 30 in tmux; ``terminal(*args)`` starts trchat in it."""
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is not installed")
    socket = str(tmp_path / "tmux")

    def run(*args):
        return subprocess.run([tmux, "-S", socket, *args], capture_output=True, text=True, check=True).stdout

    class Terminal:
        def start(self, *args, **variables):
            variables = {"TRCHAT_HOME": home, "OMP_WAIT_POLICY": "passive", **variables}
            command = shlex.join([sys.executable, "-m", "trchat", *args])
            settings = shlex.join(f"{name}={value}" for name, value in variables.items())
            shell = f"env -u COLUMNS -u LINES {settings} {command}; echo EXIT $?; exec cat"
            run("new-session", "-d", "-x", "100", "-y", "30", shell)

        def start_in_a_shell(self, *args):
            run(
                "new-session",
                "-d",
                "-x",
                "100",
                "-y",
                "30",
                "env",
                f"TRCHAT_HOME={home}",
                "bash",
                "--norc",
                "-i",
            )
            self.keys(shlex.join([sys.executable, "-m", "trchat", *args]), "Enter")

        def keys(self, *names):
            run("send-keys", *names)

        def resize(self, width, height):
            run("resize-window", "-x", str(width), "-y", str(height))

        def sees(self, *words):
            """Wait until all of these stand on the screen; the screen is asked, never slept for."""
            return self.until(lambda shown: all(word in shown for word in words))

        def until(self, condition):
            end = monotonic() + LONGEST_S
            while not condition(shown := run("capture-pane", "-p")):
                assert monotonic() < end, shown
            return shown

        def styles(self):
            """All style sequences on the screen."""
            found = re.findall(r"\x1b\[([0-9;]*)m", run("capture-pane", "-pe"))
            return {code for codes in found for code in codes.split(";")}

    yield Terminal()
    subprocess.run([tmux, "-S", socket, "kill-server"], capture_output=True, check=False)


@pytest.mark.skipif(os.name == "nt", reason="tmux")
@pytest.mark.model
def test_chatting_in_a_real_terminal(terminal):
    terminal.start("-t", "0", "--draft", "lookup")
    terminal.sees("Ask anything")
    # All at once, as a program types: the answer is waited for, and nothing is lost.
    terminal.keys("Name the capital of France.", "Enter", "/lens", "Enter")
    terminal.sees("The capital of France is Paris.", "tokens/s", "Last draft", "Learned")
    terminal.keys("C-l")
    # A new conversation is refused while the answer is not complete.
    terminal.until(lambda shown: "Last draft" not in shown and "esc Stop" not in shown)
    terminal.keys("C-n")
    terminal.sees("New conversation")
    terminal.keys("Tell me a long story about a dog.", "Enter")
    terminal.sees("esc Stop", "writing")
    terminal.resize(40, 10)
    terminal.keys("Escape")
    terminal.sees("stopped")
    terminal.resize(120, 40)
    terminal.sees("a long story about a dog", "SmolLM2-135M-Instruct")
    terminal.keys("C-q")
    terminal.sees("EXIT 0")
    terminal.keys("C-c")


@pytest.mark.skipif(os.name == "nt", reason="tmux")
def test_no_color_is_honoured_in_a_real_terminal(terminal):
    terminal.start(NO_COLOR="1")
    terminal.keys("typed ahead")
    terminal.sees("typed ahead", "context 0 of ")
    coloured = {str(code) for code in (*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108))}
    assert not terminal.styles() & coloured
    terminal.keys("C-q")
    terminal.sees("EXIT 0")


@pytest.mark.skipif(os.name == "nt", reason="tmux")
@pytest.mark.skipif(shutil.which("bash") is None, reason="a shell with jobs")
@pytest.mark.slow
def test_the_whole_screen_is_there_again_after_it_was_suspended(terminal):
    terminal.start_in_a_shell("--draft", "off")
    terminal.sees("context 0 of ", "Ask anything")
    terminal.keys("C-z")
    terminal.sees("Stopped")
    terminal.keys("clear; fg", "Enter")
    terminal.sees("context 0 of ", "Ask anything", "New conversation")
