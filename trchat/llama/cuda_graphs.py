"""CUDA graphs: whether llama.cpp records what it launches on a GPU, to launch it all at once the next time.

It looks into the environment when a process makes its first context on a GPU, and never again.
"""

import os

from trchat.llama.log import system_info

DISABLED = "GGML_CUDA_DISABLE_GRAPHS"
"""llama.cpp's environment variable: there is no way to say it later or otherwise."""

_decided = False


def records_graphs() -> bool:
    """Whether this build of llama.cpp can record graphs."""
    return "USE_GRAPHS = 1" in system_info()


def graphs_disabled() -> bool:
    """Whether it does without, as the user or ``decide`` said."""
    return DISABLED in os.environ


def decide(*, disable: bool) -> None:
    """Say whether this process does without graphs, before its first context on a GPU is made.

    Nothing changes where that was decided before, or where the user has set the variable.
    """
    global _decided
    if disable and not _decided:
        os.environ[DISABLED] = "1"
    _decided = True
