"""Starts the process that will hold a model. It imports next to nothing, so that it can come first."""

import os
import subprocess
import sys

from trchat.errors import TrchatError

_START = "import sys; sys.path[:] = {path!r}; from trchat.chat.engine_child import main; main()"


def start_engine() -> "subprocess.Popen[bytes]":
    """A process that imports llama.cpp at once, and loads nothing before it is told to.

    Raises TrchatError where no process can be started.
    """
    command = [sys.executable, "-c", _START.format(path=sys.path)]
    # Without this llama.cpp starts a debugger when it aborts.
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    except OSError as error:
        raise TrchatError(f"cannot start the engine's process: {error}") from error
