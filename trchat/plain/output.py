"""Words on the terminal: labels in front, control characters as symbols at a terminal."""

import sys

from trchat.text.visible import visible


def write(text: str) -> None:
    """Print a piece of text at once."""
    shown = visible(text) if sys.stdout.isatty() else text
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def label(name: str) -> None:
    """Say who speaks next."""
    write(f"{name}: ")


def notice(text: str) -> None:
    """Say something about the chat itself."""
    write(f"trchat: {visible(text)}\n")
