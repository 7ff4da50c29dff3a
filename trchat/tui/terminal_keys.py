"""Keys that terminals send in more ways than Textual reads."""

from types import SimpleNamespace
from typing import Any

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

ALT_ENTER = ("\x1b\r", "\x1b\n")
"""Alt+Enter, as nearly all terminals send it: Textual reads Enter, which would send half a question."""

OTHER_ENTER = ("shift+\r", "alt+\r", "ctrl+\r", "\r")
"""What Textual calls Enter with a modifier from terminals with xterm's ``modifyOtherKeys``."""


def read_alt_keys() -> None:
    """Let Textual tell Alt+Enter from Enter, and Alt with a digit from what a Mac's keyboard would type."""
    known: dict[str, Any] = ANSI_SEQUENCES_KEYS  # type: ignore[assignment]
    for sequence in ALT_ENTER:
        known[sequence] = (SimpleNamespace(value="alt+enter"),)
    for sequence in [each for each, key in known.items() if isinstance(key, str) and len(each) == 2]:
        del known[sequence]
