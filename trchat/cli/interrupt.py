"""Ctrl-C asks for a stop instead of tearing the program down."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """While open, SIGINT (however often) only sets the event: what runs ends at its next safe point."""
    wanted = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        wanted.set()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield wanted
    finally:
        signal.signal(signal.SIGINT, before)
