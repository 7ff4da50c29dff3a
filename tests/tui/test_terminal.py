"""The whole program in a real terminal, with the demo model."""

import os
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
        def start(self, *args):
            variables = f"TRCHAT_HOME={home} OMP_WAIT_POLICY=passive"
            command = shlex.join([sys.executable, "-m", "trchat", *args])
            run(
                "new-session",
                "-d",
                "-x",
                "100",
                "-y",
                "30",
                f"env {variables} {command}; echo EXIT $?; exec cat",
            )

        def keys(self, *names):
            run("send-keys", *names)

        def sees(self, *words):
            """Wait until all of these stand on the screen; the screen is asked, never slept for."""
            end = monotonic() + LONGEST_S
            while not all(word in (shown := run("capture-pane", "-p")) for word in words):
                assert monotonic() < end, shown
            return shown

    yield Terminal()
    subprocess.run([tmux, "-S", socket, "kill-server"], capture_output=True, check=False)


@pytest.mark.skipif(os.name == "nt", reason="tmux")
@pytest.mark.model
def test_chatting_in_a_real_terminal(terminal):
    terminal.start("-t", "0", "--draft", "lookup")
    terminal.sees("Ask something")
    terminal.keys("Name the capital of France.", "Enter")
    terminal.sees("The capital of France is Paris.", "tokens/s", "SmolLM2-135M-Instruct")
    terminal.keys("C-l")
    terminal.sees("Last draft", "Recycled")
    terminal.keys("C-q")
    terminal.sees("EXIT 0")
    terminal.keys("C-c")
