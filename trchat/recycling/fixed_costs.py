"""A cost curve measured elsewhere, in place of this machine's step times."""

from bisect import bisect_left


class FixedCosts:
    """A measured cost curve, to judge what would be chosen on another machine."""

    def __init__(self, milliseconds: dict[int, float], change_ms: float) -> None:
        self._curve = dict(sorted(milliseconds.items()))
        self._known = list(self._curve)
        self.change_ms = change_ms
        self.plain_ms: float | None = self.of(1)
        self.plain_seen = True
        self.last_width = 0

    def observe_plain(self, milliseconds: float) -> None:
        """Only remember the width."""
        self.last_width = 1

    def observe_copied(self, width: int, milliseconds: float) -> None:
        """Only remember the width."""
        self.last_width = width

    def begin(self) -> None:
        """Forget the width before."""
        self.last_width = 0

    def enter(self, n_cells: int) -> None:
        """The curve holds for all lengths."""

    def taken(self, width: int, milliseconds: float) -> float:
        """What a step of ``width`` counts as: what it would have taken on the curve's machine."""
        return self.of(width) + (self.change_ms if self.last_width not in (0, width) else 0.0)

    def observe(self, width: int, milliseconds: float, work_ms: float | None = None) -> None:
        """Only remember the width; this machine's times say nothing about that one."""
        self.last_width = width

    def knows(self, width: int) -> bool:
        """No: another machine's times say nothing about this one's."""
        return False

    def of(self, width: int) -> float:
        """Milliseconds of a step of ``width`` tokens: on a line between measured widths, or beyond.

        No width beyond is cheaper than the widest one measured.
        """
        known, curve = self._known, self._curve
        right = min(bisect_left(known, width), len(known) - 1)
        if known[right] == width or right == 0:
            return curve[known[right]]
        low, high = known[right - 1], known[right]
        slope = (curve[high] - curve[low]) / (high - low)
        if width > high:
            return curve[high] + max(slope, 0.0) * (width - high)
        return curve[low] + slope * (width - low)
