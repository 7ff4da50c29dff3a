"""What commands write: answers to stdout, words about them to stderr, progress to terminals only."""

import os
import sys
from typing import TextIO

from trchat.errors import TrchatError, UsageError
from trchat.text.visible import visible

_CLEAR_LINE = "\r\x1b[K"


class Output:
    """stdout: exact bytes into a pipe or a file; on a terminal, control characters are made visible."""

    def __init__(self) -> None:
        self._stream: TextIO = sys.stdout
        self._terminal = self._stream.isatty()
        self._last = "\n"

    def write(self, text: str) -> None:
        """Write and flush. Raises BrokenPipeError when the reader has gone, TrchatError when it cannot."""
        if not text:
            return
        self._last = text[-1]
        try:
            if self._terminal:
                encoding = self._stream.encoding or "utf-8"
                self._stream.write(visible(text).encode(encoding, "replace").decode(encoding))
                self._stream.flush()
            else:
                self._stream.buffer.write(text.encode("utf-8", "replace"))
                self._stream.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            leave_stdout()
            raise TrchatError(f"cannot write the answer: {error.strerror or error}") from None

    def end_line(self) -> None:
        """Begin a new line, unless that has been done."""
        if self._last != "\n":
            self.write("\n")


def leave_stdout() -> None:
    """Write nothing more there: what could not be written would be tried, and told, again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Notices:
    """stderr: notices and progress, unless ``quiet``."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet or sys.stderr is None
        animated = not self._quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._animated = animated
        self._shown = ""
        self._aside_open = False
        """Whether what streams beside the answer has stopped within a line."""

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            self.end_line()
            say(text)

    def end_line(self) -> None:
        """Begin a new line where progress, or what streams beside the answer, has left one open."""
        self.progress("")
        if self._aside_open:
            self.aside("\n")

    def aside(self, text: str) -> None:
        """A piece of text that streams beside the answer: reasoning."""
        if not self._quiet and text:
            self.progress("")
            self._aside_open = not text.endswith("\n")
            sys.stderr.write(visible(text) if sys.stderr.isatty() else text)
            sys.stderr.flush()

    def progress(self, text: str) -> None:
        """Show ``text`` in place of what was shown before; on a terminal only."""
        if self._animated and text != self._shown:
            self._shown = text
            sys.stderr.write(_CLEAR_LINE + text)
            sys.stderr.flush()


def say(line: str) -> None:
    """One line for a person, on stderr; control characters are made visible."""
    if sys.stderr is not None:
        print(visible(f"trchat: {line}"), file=sys.stderr)


def warn(line: str) -> None:
    """One line about trouble that does not end the command."""
    say(f"warning: {line}")


def confirmed(question: str, command: str) -> bool:
    """Ask for a yes at the terminal. Raises UsageError, naming ``command``, where there is none."""
    if sys.stdin is None or sys.stderr is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"not a terminal: add --yes to confirm `{command}`")
    sys.stderr.write(visible(f"{question} [y/N] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
