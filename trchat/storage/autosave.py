"""When to save an answer that is still streaming."""

import time
from collections.abc import Callable

AUTOSAVE_INTERVAL_S = 1.0
"""A crash loses at most this much of an answer."""


class Autosave:
    """Paces saving: ``if autosave.due(): store.update_answer(answer.id, text)`` after each piece of text."""

    def __init__(
        self, interval_s: float = AUTOSAVE_INTERVAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Return True when ``interval_s`` seconds have passed since the start or the last True."""
        now = self._clock()
        if now - self._last < self._interval_s:
            return False
        self._last = now
        return True
