"""Ctrl-C asks for a stop instead of tearing the program down."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl-C, kill, a closed terminal, Ctrl-Break; where the system has them."""


class Stop(threading.Event):
    """Set by the first signal; ``exit_code`` is then 128 + its number, as shells count (130 for Ctrl-C)."""

    exit_code = 130


@contextmanager
def stop_on_interrupt() -> Iterator[Stop]:
    """While open, signals (however many) only set the event: what runs ends at its next safe point."""
    wanted = Stop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not wanted.is_set():
            wanted.exit_code = 128 + number
            wanted.set()

    before = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)
        # What was ignored from the start (nohup, a shell's background job) stays ignored.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, on_signal)
    try:
        yield wanted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
