"""The process that tests.tui.measure looks at: ``python -m tests.tui.measured WHICH RESULT [lens] FLAG…``."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from trchat.chat.engine import Engine
from trchat.chat.records import Delta, Event
from trchat.cli import main as trchat

PROMPT = "Explain in detail how bread is made, step by step, with a numbered list and a short Python example."
STRETCH = 128
"""Steps in which the TUI draws, or does not."""
SETTLING = 16
"""Steps at the start of each that are not counted: what was kept back is drawn in them."""
ORDER = (True, False, False, True)


class Clock:
    """Wraps ``Engine.answer`` and takes the time of its steps.

    With ``silences`` the reader gets nothing of some stretches before they are over. The clock runs inside
    the engine's loop, and so includes what the reader does between two steps.
    """

    def __init__(self, silences: bool) -> None:
        self.between: list[float] = []
        """Seconds that the reader took after each step."""
        self.stretches: list[dict[str, float | bool]] = []
        self._silences = silences
        self._ui = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
        whole = Engine.answer

        def answer(engine: Engine, *args: Any, **kwargs: Any) -> Iterator[Event]:
            return self._passed_on(self._timed(whole(engine, *args, **kwargs)))

        Engine.answer = answer  # type: ignore[method-assign, assignment]

    def write(self, result: Path) -> None:
        """Leave the figures where the parent looks for them."""
        tokens, seconds = (sum(each[name] for each in self.stretches) for name in ("tokens", "seconds"))
        figures = {
            "between_s": mean(self.between),
            "tokens_per_s": tokens / seconds,
            "stretches": self.stretches,
        }
        result.write_text(json.dumps(figures), "utf-8")

    def _timed(self, events: Iterator[Event]) -> Iterator[Event]:
        """``events``, each stretch of which is timed from its first counted step to its last."""
        number = 0
        start = ui_start = 0.0
        tokens = 0
        for event in events:
            if isinstance(event, Delta):
                place = number % STRETCH
                number += 1
                tokens += len(event.step.tokens)
                now, ui = time.perf_counter(), time.clock_gettime(self._ui)
                if place == SETTLING:
                    start, ui_start, tokens = now, ui, 0
                elif place == STRETCH - 1:
                    self.stretches.append(
                        {
                            "drawn": self._drawn(number - 1),
                            "steps": place - SETTLING,
                            "tokens": tokens,
                            "seconds": now - start,
                            "ui_s": ui - ui_start,
                        }
                    )
            yield event

    def _passed_on(self, events: Iterator[Event]) -> Iterator[Event]:
        """``events``, those of a silent stretch all at once when the next one begins."""
        kept: list[Event] = []
        step = 0
        for event in events:
            kept.append(event)
            ends = isinstance(event, Delta) and event.step.finish
            if self._drawn(step) or ends:
                begun = time.perf_counter()
                yield from kept
                if len(kept) == 1:
                    self.between.append(time.perf_counter() - begun)
                kept.clear()
            step += isinstance(event, Delta)

    def _drawn(self, step: int) -> bool:
        return not self._silences or ORDER[step // STRETCH % len(ORDER)]


def ask(flags: list[str]) -> None:
    """One answer on standard output."""
    trchat(["ask", *flags, PROMPT])


def tui(flags: list[str], lens: bool) -> None:
    """One answer in the TUI, which is left when it is complete."""
    from trchat.tui.screens.chat import ChatScreen

    ready, ended = ChatScreen._model_ready, ChatScreen._ended

    def begin(screen: ChatScreen, news: Any) -> None:
        ready(screen, news)
        if lens:
            screen.call_later(screen.lens, False)
        screen.prompt.put(PROMPT)
        screen.call_later(screen.prompt.action_send)

    async def end(screen: ChatScreen, news: Any) -> None:
        await ended(screen, news)
        screen.app.exit()

    ChatScreen._model_ready = begin  # type: ignore[method-assign]
    ChatScreen._ended = end  # type: ignore[method-assign]
    trchat(flags)


def main() -> None:
    """Run one of them, and leave the figures in a file."""
    which, result, *flags = sys.argv[1:]
    clock = Clock(silences=which == "tui")
    if which == "ask":
        ask(flags)
    else:
        lens = flags[:1] == ["lens"]
        tui(flags[lens:], lens)
    clock.write(Path(result))


if __name__ == "__main__":
    main()
