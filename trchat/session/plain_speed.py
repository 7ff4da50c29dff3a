"""What plain decoding would reach on this machine, from the steps that are taken anyway."""

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trchat.decoding.step import Step

ENOUGH = 3
"""Steps of one width, before their median says anything."""
_KEPT = 101


class PlainSpeed:
    """Times of the narrowest steps seen, for one model in one context."""

    def __init__(self) -> None:
        self._times: dict[int, deque[float]] = {}

    def add(self, step: "Step") -> None:
        """Take in one step."""
        narrowest = min((width for width, times in self._times.items() if len(times) >= ENOUGH), default=0)
        if not narrowest or step.width <= narrowest:
            times = self._times.setdefault(step.width, deque(maxlen=_KEPT))
            times.append(step.seconds)

    def ratio(self, tokens_per_s: float, plain_ms: float | None = None) -> tuple[float | None, bool]:
        """How much faster than plain decoding this is, and whether one-token steps were timed.

        Where there were none in this session, ``plain_ms`` may be known from the start or from an earlier
        one. Without it the narrowest steps seen stand in, which cost more: an upper bound.
        """
        widths = [width for width, times in self._times.items() if len(times) >= ENOUGH]
        if not widths or not tokens_per_s:
            return None, False
        width = min(widths)
        if width > 1 and plain_ms is not None:
            return tokens_per_s * plain_ms / 1000, True
        return tokens_per_s * median(self._times[width]), width == 1
