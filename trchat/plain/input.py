"""Reads what the user says, with the line editing that the terminal offers."""

import sys
from contextlib import suppress

from trchat.plain.output import label
from trchat.text.decode import decode_text


def read_line(name: str) -> str | None:
    """One line, after the label ``name``; None at the end of the input. A pasted block is one of them.

    Raises UsageError for a line that is not text.
    """
    if sys.stdin is None:
        return None
    if sys.stdin.isatty() and sys.stdout.isatty():
        with suppress(ImportError):  # Windows has none, but edits lines by itself
            import readline  # noqa: F401  # input() edits with it, and Up brings back earlier lines
        try:
            return input(f"{name}: ")
        except EOFError:
            return None
    label(name)
    raw = sys.stdin.buffer.readline()
    return decode_text(raw, "this line").rstrip("\r\n") if raw else None
