"""Reads a line, answers it, reads the next."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from trchat.errors import TrchatError
from trchat.plain.commands import PlainCommands
from trchat.plain.input import read_line
from trchat.plain.output import notice, write
from trchat.session.attachments import mentioned, with_attachments
from trchat.session.news import Ready
from trchat.session.typed_command import parse_command, unescaped
from trchat.startup import Prepared

if TYPE_CHECKING:
    from trchat.session.host import OpenEngine

EXIT_MODEL = 3


class PlainChat(PlainCommands):
    """One conversation at a terminal that cannot draw, or through a pipe."""

    def run(self) -> int:
        """Chat until the input ends or the user leaves; returns the exit code."""
        self.warn()
        if not self.wait_for(Ready):
            return EXIT_MODEL
        notice(f"{self.session.prepared.model.name} is ready. /help lists commands, /quit exits.")
        self.show_latest()
        while self.leaving is None:
            try:
                with self.waiting():
                    line = read_line("You")
            except KeyboardInterrupt:
                line = None
            except TrchatError as error:
                notice(str(error))
                continue
            if line is None or self.leaving is not None:
                with suppress(OSError):  # the terminal may be gone
                    write("\n")
                return self.leaving or 0
            try:
                self._take(line)
            except TrchatError as error:
                notice(str(error))
            except KeyboardInterrupt:
                if self.leaving is None:
                    raise
        return self.leaving

    def _take(self, text: str) -> None:
        parsed = parse_command(text, self.session.template)
        if parsed is not None:
            command, argument = parsed
            command.run(self, argument)
        elif text.strip():
            self.session.ask(with_attachments(unescaped(text), [*self.attached, *mentioned(text, notice)]))
            self.attached = []
            self.follow()


Watching = Callable[[Callable[[int], object]], AbstractContextManager[None]]
"""As ``trchat.cli.interrupt.leave_when_ended``."""


def chat(
    flags: Mapping[str, object],
    prepared: Prepared,
    opener: "OpenEngine | None" = None,
    leave_when_ended: Watching = lambda _leave: nullcontext(),
) -> int:
    """Chat line by line, with an engine from ``opener``; returns the exit code.

    ``leave_when_ended`` watches for signals that end the chat.
    """
    plain = PlainChat(flags, prepared, opener)
    try:
        with leave_when_ended(plain.leave):
            code = plain.run()
            if hint := plain.session.how_to_resume():
                notice(hint)
            return code
    except (OSError, KeyboardInterrupt):  # a terminal that is gone cannot be written to
        if plain.leaving is None:
            raise
        return plain.leaving
    finally:
        plain.session.close()
