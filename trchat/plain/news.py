"""What the engine says, line by line."""

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trchat.plain.output import label, notice, write
from trchat.session.news import ENDS, Compared, Dropped, Ended, Grown, LoadFailed, Notice, Ready
from trchat.session.session import Session
from trchat.session.start import start_session
from trchat.session.typed_setting import typed_here
from trchat.startup import Prepared, warnings

if TYPE_CHECKING:
    from trchat.session.host import OpenEngine


class NewsReader:
    """A session, and the printing of what comes of it."""

    def __init__(
        self, flags: Mapping[str, object], prepared: Prepared, opener: "OpenEngine | None" = None
    ) -> None:
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.session: Session = start_session(flags, prepared, lambda: self._woken.put(None), notice, opener)
        self.lens_on = False
        """Whether each answer is followed by how it was guessed."""
        self._last: Grown | None = None
        self._thinking = False
        self.leaving: int | None = None
        """The exit code, once a signal or the user wants the chat to end."""
        self._waits = False
        """Whether all that is done is waiting, for a line or for news."""

    def leave(self, code: int) -> None:
        """End the chat with this exit code, an answer that is being written kept; for a signal's handler."""
        self.leaving = code
        if self._waits:  # elsewhere something may be half done; whoever waits next looks first
            raise KeyboardInterrupt

    def warn(self) -> None:
        """Say what should be known before the model is loaded."""
        for line in warnings(self.session.prepared):
            notice(typed_here(line))

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
                with self.waiting():
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
    def waiting(self) -> Iterator[None]:
        """While this lasts, a signal ends the chat at once."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _show(self, news: object) -> None:
        match news:
            case Ready():
                self.session.ready(news.n_ctx, news.thinking)
                for line in news.notices:
                    notice(line)
            case Notice(line):
                notice(line)
            case LoadFailed(reason):
                notice(f"the model could not be loaded: {reason}")
            case Dropped():
                self.session.dropping()
                notice(str(news))
            case Grown():
                self._write(news)
                self._last = news
            case Ended():
                removed = self.session.ended(news.message_id)
                write("\n")
                self._thinking = False
                end = news.error or news.remark or ENDS.get(news.finish)
                warning = self.session.warning_of_dropping(news.speed.context_used)
                for said in (end, removed, warning):
                    if said:
                        notice(said)
                if self.lens_on and self._last is not None:
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

    def _write(self, grown: Grown) -> None:
        """Print what came; where reasoning begins and ends is said."""
        said = grown.said
        if said.recast:
            notice("what the model said so far was reasoning")
        if said.reasoning:
            if not self._thinking:
                self._thinking = True
                notice("reasoning:")
            write(said.reasoning)
        if said.text:
            if self._thinking:
                self._thinking = False
                write("\n")
                notice("answer:")
            write(said.text)


def lens_lines(grown: Grown) -> list[str]:
    """What the draft lens shows, in words."""
    speed = grown.speed
    parts = [f"{speed.tokens_per_s:.1f} tokens/s", f"{speed.tokens_per_step:.2f} tokens per step"]
    if speed.ratio is not None:
        parts.append(f"{speed.ratio:.1f} times plain decoding")
    guessed = f"{speed.accepted} of {speed.drafted} guesses accepted" if speed.drafted else "no guesses"
    lines = [", ".join(parts), guessed]
    lines += [f"{name}: {hits} of {tried}" for name, hits, tried in grown.by_source]
    return [*lines, f"{grown.rows_learned:,} predictions learned for this model"]
