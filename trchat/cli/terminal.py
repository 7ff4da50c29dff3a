"""Gives a terminal back as it was, on ways out that a full-screen program does not see."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MODES_OFF = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse
    "\x1b[?1004l"  # focus
    "\x1b[?2004l"  # bracketed paste
    "\x1b[?2048l"  # changes of size
    "\x1b[<u"  # kitty's keys
    "\x1b[?1049l\x1b[?25h\x1b[0m"  # the other screen, the cursor, colours
)
"""Undoes all that the full-screen chat switches on."""


@contextmanager
def restored_terminal() -> Iterator[Callable[[], None]]:
    """While open, a terminal may be put into any mode; an error leaves it as it was before.

    What it yields does the same at any time, on any thread.
    """
    settings = _settings()

    def restore() -> None:
        with contextlib.suppress(OSError, ValueError):
            if sys.__stderr__ is not None and os.isatty(sys.__stderr__.fileno()):
                os.write(sys.__stderr__.fileno(), MODES_OFF.encode())
        _set(settings)

    try:
        yield restore
    except BaseException:
        restore()
        raise
    _set(settings)


def _settings() -> list[object] | None:
    """How the terminal treats keys; None where there is none, or no such thing (Windows)."""
    with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):
        import termios

        return list(termios.tcgetattr(sys.stdin.fileno()))
    return None


def _set(settings: list[object] | None) -> None:
    if settings is not None:
        import termios

        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, settings)  # type: ignore[arg-type]
