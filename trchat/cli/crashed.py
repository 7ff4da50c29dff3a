"""Asks before a model is loaded that made llama.cpp crash before."""

import sys
from collections.abc import Callable
from pathlib import Path

from trchat.cli.streams import confirmed
from trchat.errors import ModelError
from trchat.model_crashes import crash_file, known_crash
from trchat.text.one_line import one_line


def ask_before_crash(path: Path, say: Callable[[str], None]) -> None:
    """Where the model at ``path`` ended its engine before, ask whether to try it again; else do nothing.

    Without a terminal, one that could not even be loaded is refused, and of others it is said.
    Raises ModelError where it is not to be loaded.
    """
    crash = known_crash(path)
    if crash is None:
        return
    name = one_line(path.name)
    if sys.stdin is not None and sys.stderr is not None and sys.stdin.isatty() and sys.stderr.isatty():
        if not confirmed(f"trchat: {name} crashed the engine before: {crash.what}\nTry it again?", "trchat"):
            raise ModelError(f"{name} is not loaded; choose another model with -m")
    elif crash.loading:
        raise ModelError(
            f"{name} made llama.cpp crash before and is not tried again: {crash.what} "
            f"(it is after an update, at a terminal, or without {crash_file()})"
        )
    else:
        say(f"{name} crashed the engine before: {crash.what}")
