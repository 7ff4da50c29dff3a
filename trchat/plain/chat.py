"""Reads a line, answers it, reads the next."""

import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from trchat.errors import TrchatError
from trchat.plain.commands import LeaveError, carry_out
from trchat.plain.input import read_line
from trchat.plain.output import label, notice, write
from trchat.session.attachments import Attachment, with_attachments
from trchat.session.commands import unescaped
from trchat.session.news import ENDS, Compared, Dropped, Ended, Grown, LoadFailed, Notice, Ready
from trchat.session.session import Session
from trchat.session.start import start_session
from trchat.session.typed_setting import typed_here
from trchat.startup import Prepared, warnings

if TYPE_CHECKING:
    from trchat.session.host import OpenEngine

EXIT_MODEL = 3


class PlainChat:
    """One conversation at a terminal that cannot draw, or through a pipe."""

    def __init__(
        self, flags: Mapping[str, object], prepared: Prepared, opener: "OpenEngine | None" = None
    ) -> None:
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.session: Session = start_session(flags, prepared, lambda: self._woken.put(None), notice, opener)
        self.attached: list[Attachment] = []
        self.lens = False
        """Whether each answer is followed by how it was guessed."""
        self._last: Grown | None = None
        self.deleted: list[int] = []
        self.leaving: int | None = None
        """The exit code, once a signal wants the chat to end."""
        self._waits = False
        """Whether all that is done is waiting, for a line or for news."""

    def leave(self, code: int) -> None:
        """End the chat with this exit code, an answer that is being written kept; for a signal's handler."""
        self.leaving = code
        if self._waits:  # elsewhere something may be half done; whoever waits next looks first
            raise KeyboardInterrupt

    def run(self) -> int:
        """Chat until the input ends or the user leaves; returns the exit code."""
        self.warn()
        if not self.wait_for(Ready):
            return EXIT_MODEL
        notice(f"{self.session.prepared.model.name} is ready. /help shows commands, /quit leaves.")
        self.show_latest()
        while self.leaving is None:
            try:
                with self._waiting():
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
            except LeaveError:
                return 0
            except TrchatError as error:
                notice(str(error))
            except KeyboardInterrupt:
                if self.leaving is None:
                    raise
        return self.leaving

    def warn(self) -> None:
        """Say what should be known before the model is loaded."""
        for line in warnings(self.session.prepared):
            notice(typed_here(line))

    def show_latest(self) -> None:
        """Say where the conversation stands, when one is continued."""
        messages = self.session.thread.messages
        for message in messages[-2:]:
            if message.role in ("user", "assistant"):
                label("You" if message.role == "user" else "Model")
                write(message.text.strip() + "\n")

    def follow(self) -> None:
        """Print the answer being written, until it ends; ctrl+c stops it and keeps what there is."""
        label("Model")
        self.wait_for(Ended)

    def wait_for(self, *last: type) -> bool:
        """Show the engine's news until one of these has come; False when the model cannot be loaded."""
        come: bool | None = None
        while come is None:
            try:
                if self.leaving is not None:
                    self.session.stop()
                with self._waiting():
                    self._woken.get()
                for news in self.session.host.outbox.take():
                    self._show(news)
                    if isinstance(news, (LoadFailed, *last)):
                        come = not isinstance(news, LoadFailed)
            except KeyboardInterrupt:
                if not self.session.busy:  # the model is being loaded: leave
                    raise
                self.session.stop()
        return come

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _take(self, text: str) -> None:
        parsed = self.session.parse(text)
        if parsed is not None:
            carry_out(self, parsed[0].name, parsed[1])
        elif text.strip():
            self.session.ask(with_attachments(unescaped(text), self.attached))
            self.attached = []
            self.follow()

    def _show(self, news: object) -> None:
        match news:
            case Ready():
                self.session.ready(news.n_ctx, news.thinking)
                for line in news.notices:
                    notice(line)
            case Notice(line):
                notice(line)
            case LoadFailed(reason):
                notice(f"the model cannot be loaded: {reason}")
            case Dropped():
                self.session.dropping()
                notice(str(news))
            case Grown():
                write(news.text)
                self._last = news
            case Ended():
                removed = self.session.ended(news.message_id)
                write("\n")
                end = news.error or ENDS.get(news.finish)
                warning = self.session.warning_of_dropping(news.speed.context_used)
                for said in (end, removed, warning):
                    if said:
                        notice(said)
                if self.lens and self._last is not None:
                    for line in lens_lines(self._last):
                        notice(line)
            case Compared():
                removed = self.session.ended(news.message_id)
                if removed:
                    notice(removed)
                same = "identical" if news.identical else f"different after {news.same} characters"
                notice(
                    news.error
                    or f"draft {news.mode}: {news.tokens_per_s:.1f} tokens/s, "
                    f"draft off: {news.plain_tokens_per_s:.1f} tokens/s; the texts are {same}"
                )


def lens_lines(grown: Grown) -> list[str]:
    """What the draft lens shows, in words."""
    speed = grown.speed
    parts = [f"{speed.tokens_per_s:.1f} tokens/s", f"{speed.tokens_per_step:.2f} tokens per step"]
    if speed.ratio is not None:
        parts.append(f"{'' if speed.ratio_exact else 'at most '}{speed.ratio:.1f} times plain decoding")
    guessed = (
        f"{speed.accepted} of {speed.drafted} guesses accepted" if speed.drafted else "nothing was guessed"
    )
    lines = [", ".join(parts), guessed]
    lines += [f"{name}: {hits} of {tried}" for name, hits, tried in grown.by_source]
    return [*lines, f"{grown.rows_learned:,} rows of candidates learned"]


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
            return plain.run()
    except (OSError, KeyboardInterrupt):  # a terminal that is gone cannot be written to
        if plain.leaving is None:
            raise
        return plain.leaving
    finally:
        plain.session.close()
