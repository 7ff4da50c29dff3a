"""Ctrl-C asks for a stop instead of tearing the program down."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl-C, kill, a closed terminal, Ctrl-Break; where the system has them."""


AT_ONCE_S = 2.0
"""For writing down what there is of an answer, after a second Ctrl-C."""
LAST_WORDS_S = 30.0
"""For saving and freeing all there is, after a signal that ends a program: more than a slow disk is given."""
_SAME_PRESS_S = 0.1  # a shell's or a wrapper's second signal for one press of the keys


class Stop(threading.Event):
    """Set by the first signal; ``exit_code`` is then 128 + its number, as shells count (130 for Ctrl-C).

    ``at_once`` is called at a second one: somebody does not want to wait for what the first one began.
    """

    exit_code = 130
    set_at = 0.0

    def __init__(self, at_once: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.at_once = at_once


@contextmanager
def stop_on_interrupt(at_once: Callable[[], object] = lambda: None) -> Iterator[Stop]:
    """While open, the first signal sets the event: what runs ends at its next safe point.

    A second one calls ``at_once``, and ends the program ``AT_ONCE_S`` later, whatever it is doing then.
    """
    wanted = Stop(at_once)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not wanted.is_set():
            wanted.exit_code = 128 + number
            wanted.set_at = monotonic()
            wanted.set()
        elif monotonic() - wanted.set_at > _SAME_PRESS_S:
            end_soon(wanted.exit_code, within_s=AT_ONCE_S)
            wanted.at_once()

    with _handling(SIGNALS, on_signal):
        yield wanted


def end_soon(
    code: int, before: Callable[[], object] = lambda: None, *, within_s: float = LAST_WORDS_S
) -> None:
    """End the program with ``code`` in ``within_s`` seconds, ``before`` being done, whatever it does then."""

    def end() -> None:
        before()
        os._exit(code)

    timer = threading.Timer(within_s, end)
    timer.daemon = True
    timer.start()


@contextmanager
def leave_when_ended(leave: Callable[[int], object]) -> Iterator[None]:
    """While open, signals that end a program (Ctrl-C not among them) call ``leave`` with the exit code."""
    with _handling(SIGNALS[1:], lambda number, _frame: leave(128 + number)):
        yield


@contextmanager
def _handling(names: Sequence[str], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {}
    for name in names:
        number = getattr(signal, name, None)
        # What was ignored from the start (nohup, a shell's background job) stays ignored.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
