"""llama.cpp's log: into a file, never onto the terminal, with the last errors at hand for messages."""

import contextlib
import ctypes
import os
import re
from collections import deque
from pathlib import Path
from typing import IO, Any

import llama_cpp.llama_cpp as llama

MAX_LOG_BYTES = 1_000_000
ERROR = 4  # enum ggml_log_level: 2 = info, 3 = warn, 4 = error, 5 = continues the line before

_recent: deque[str] = deque(maxlen=200)
_errors: deque[str] = deque(maxlen=20)
_file: IO[str] | None = None
_echo: IO[str] | None = None
_last_level = 0


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def _on_log(level: int, text: bytes, _user_data: Any) -> None:
    global _last_level
    _last_level = _last_level if level == 5 else level
    line = text.decode("utf-8", "replace")
    _recent.append(line)
    if _last_level == ERROR:
        _errors.append(line.strip())
    for stream in (_file, _echo):
        if stream is not None:
            # A full disk must not disturb an answer.
            with contextlib.suppress(OSError, ValueError):
                stream.write(line)


def route_log(path: Path | None) -> None:
    """Send llama.cpp's log to ``path`` (appended, restarted at 1 MB), or nowhere when None or not writable.

    Importing ``llama_cpp`` installs a callback that prints; this one replaces it for the whole process.
    """
    global _file
    if _file is not None:
        _file.close()
        _file = None
    if path is not None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = "a" if path.exists() and path.stat().st_size < MAX_LOG_BYTES else "w"
            _file = open(path, mode, encoding="utf-8", buffering=1, opener=_private)  # noqa: SIM115
        except OSError:
            _file = None
    llama.llama_log_set(_on_log, ctypes.c_void_p(0))


def note(line: str) -> None:
    """Add a line of our own to the log."""
    with contextlib.suppress(OSError, ValueError):
        if _file is not None:
            _file.write(f"{line}\n")


def echo_log(stream: IO[str]) -> None:
    """Write the log to ``stream`` as well from now on, for a reader who outlives this process."""
    global _echo
    _echo = stream


def _private(name: str, flags: int) -> int:
    """Open for the owner alone, whatever the umask allows."""
    return os.open(name, flags, 0o600)


def clear_errors() -> None:
    """Forget earlier errors, before a call whose failure is to be explained."""
    _errors.clear()


def last_error() -> str:
    """llama.cpp's own reason for the latest failure, without function names; empty when it gave none."""
    for line in reversed(_errors):
        reason = re.sub(r"^\w+: ", "", line)
        reason = re.sub(r"^error loading model: ", "", reason)
        if reason and not reason.startswith("failed to"):
            return reason
    return _errors[-1] if _errors else ""


def system_info() -> str:
    """What llama.cpp was built with and runs on, as it prints it."""
    return bytes(llama.llama_print_system_info()).decode("utf-8", "replace").strip(" |")


route_log(None)
