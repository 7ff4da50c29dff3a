"""What a step costs by batch width on this machine."""

from bisect import bisect_left
from collections.abc import Iterable

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Batch widths to choose from: few, so that llama.cpp can reuse its compute graphs."""

_NEW = 0.2  # weight of a new observation
_LEAP = 1.3  # times what a step took so far: what one alone can be believed, up or down
_FAR = 1.6  # times what it took so far: a step that is far off
_BELIEVED = 0.5  # weight of the second one in a row, and of a first step where the cost was only guessed,
_FAR_LEAP = 2.0  # and times what it took so far what they can be believed
_NEW_CHANGE = 0.02  # and of what a change of width cost
_DEAREST_CHANGE = 4.0  # steps that a change may seem to cost in each of the two steps it slows
_SUDDEN, _NOISE = 3.0, 0.15  # times what a change cost so far, and of a step: more must be seen more often
_PRIOR_SLOPE = 0.5  # extra cost of a token, in one-token steps, until the machine has shown another
_PROMPT = -1  # as the width before a text's first step
_RANGES = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)


class StepCosts:
    """Milliseconds of a step by batch width and range of context length, learned while running.

    Widths not tried yet lie on a line between their neighbours, beyond the widest one on the last slope.
    A range that is entered for the first time begins with the curve of the nearest one; its first
    observation stretches that curve as a whole, since a longer context makes steps of all widths slower.

    Attributes:
        curves: milliseconds by range and width, the work around the model included.
        change_ms: what a change of width costs, in the step with the new width and the one after it: the
            compute graph is built anew, and a GPU records its launches only when a graph comes again.
        plain: milliseconds of a step of one token without any work for drafts, by range.
    """

    def __init__(self) -> None:
        self.curves: dict[int, dict[int, float]] = {}
        self.plain: dict[int, float] = {}
        self.change_ms = 0.3
        self._borrowed: dict[int, set[int]] = {}
        self._first_ms = self.change_ms  # the part of ``change_ms`` that falls into the first step
        self._change_so_far: float | None = None  # of a change in the step before
        self._range = 0
        self._last_width = 0
        self._plain_steps = 0  # one after another, so far
        self._rough = True  # whether all plain steps seen yet, if any, paid for a change of width
        self._known: list[int] = []
        self._was_far: dict[tuple[int, int], bool] = {}  # by range and width: whether its last step was

    @property
    def plain_ms(self) -> float | None:
        """A step of one token without any work for drafts, in this range; None = not seen yet.

        Where it was seen in another range only, it is as much less than a step that was watched as there.
        """
        known = self.plain.get(self._range)
        if known is not None or not self.plain:
            return known
        nearest = _nearest(self.plain, self._range)
        here, there = (self.curves.get(each, {}).get(1) for each in (self._range, nearest))
        longer = 0.0 if here is None or there is None else here - there
        return max(self.plain[nearest] + longer, 0.5 * self.plain[nearest])

    @property
    def plain_seen(self) -> bool:
        """Whether plain steps of an answer have shown that; else it was measured once, or is not known."""
        return not self._rough

    def recall(
        self, curves: dict[int, dict[int, float]], change_ms: float, plain: dict[int, float] | None = None
    ) -> None:
        """Go on from what an earlier session on the same machine has learned."""
        self.curves = curves
        self.change_ms = self._first_ms = change_ms
        self.plain = plain or {}
        self._rough = not self.plain
        self._known = sorted(curves.get(self._range, ()))
        self._was_far = {(each, width): False for each, curve in curves.items() for width in curve}

    def enter(self, n_cells: int) -> None:
        """Say how long the context is now, in cells."""
        now = bisect_left(_RANGES, n_cells)
        if now == self._range and now in self.curves:
            return
        if now not in self.curves:
            self.curves[now] = dict(self.curves[_nearest(self.curves, now)]) if self.curves else {}
            self._borrowed[now] = set(self.curves[now])
        self._range = now
        self._known = sorted(self.curves[now])

    def begin(self) -> None:
        """Say that a prompt came between: the next step changes the shape of batches, whatever its width."""
        self._last_width = _PROMPT
        self._change_so_far = None
        self._plain_steps = 0

    def measured(self, width: int, milliseconds: float, change_ms: float | None = None) -> None:
        """Begin with what measuring found: a step of ``width``, and what changing to that width cost.

        A single run may have been held up, and a width that looks dear is never run again to show better. So
        none counts as dearer than a wider one, until it is run and shows that it is.
        """
        curve = self.curves.setdefault(self._range, {})
        wider = [taken for other, taken in curve.items() if other > width]
        curve[width] = milliseconds = min([milliseconds, *wider])
        for other, taken in curve.items():
            if other < width:
                curve[other] = min(taken, milliseconds)
        self._known = sorted(curve)
        if change_ms is not None:
            self.change_ms = self._first_ms = change_ms

    def taken(self, width: int, milliseconds: float) -> float:
        """What a step counts as that took so long: just that."""
        return milliseconds

    def observe(self, width: int, milliseconds: float, work_ms: float | None = None) -> None:
        """Take in the time of one step, ``work_ms`` of it spent on drafting and learning.

        What is left of a step of one token is what a plain one takes now. Machines get slower and faster,
        and drafting must not be weighed against what plain decoding took in better times.

        The first step of a width also pays for what llama.cpp sets up only once: it does not make the width
        look dearer than it was expected to be, or it might never be tried again.
        """
        curve = self.curves.setdefault(self._range, {})
        changed = width != self._last_width and self._last_width != 0
        settled = not changed and self._change_so_far is None
        after_prompt = self._last_width == _PROMPT
        self._last_width, self._plain_steps = width, 0
        borrowed = self._borrowed.get(self._range, set())
        if width == 1 and settled and work_ms is not None and (plain_ms := self.plain_ms) is not None:
            self.plain[self._range] = _moved(plain_ms, milliseconds - work_ms)
        if borrowed and settled:  # after a prompt the first steps say nothing about a longer context
            stretch = min(max(milliseconds / self.of(width), 0.25), 4.0)
            for other in borrowed:
                curve[other] *= stretch
            borrowed.clear()
        before, here = curve.get(width), (self._range, width)
        if before is None:
            self._was_far[here] = False
            curve[width] = min(milliseconds, self.of(width)) if self._known else milliseconds
            self._known = sorted(curve)
            self._change_so_far = None
            return
        if not settled:
            self._observe_change(milliseconds - before, before, changed=changed)
            if not changed:
                return
            # Or a width that never comes twice in a row would keep its first price for ever.
            milliseconds -= self._first_ms
        # One step alone may have been held up, but hardly two in a row; and what was only guessed is worth
        # little. What a prompt costs the step behind it says nothing.
        far = milliseconds > _FAR * before
        if not after_prompt and (here not in self._was_far or (far and self._was_far[here])):
            curve[width] = _moved(before, milliseconds, _BELIEVED, _FAR_LEAP)
        else:
            curve[width] = _moved(before, milliseconds, _NEW / 2 if changed else _NEW)
        if not after_prompt:
            self._was_far[here] = far and here in self._was_far

    def _observe_change(self, extra: float, usual: float, *, changed: bool) -> None:
        """Take in one of the two steps that a change slows, by how much longer than usual it took."""
        # A stall is no change of width: what a change costs is believed to grow only step by step.
        extra = min(extra, max(_SUDDEN * self.change_ms, _NOISE * usual), _DEAREST_CHANGE * usual)
        so_far, self._change_so_far = self._change_so_far, None
        if changed:
            self._first_ms += _NEW_CHANGE * (extra - self._first_ms)
            if so_far is not None:  # changed again at once: that is all it cost
                self._believe_change(so_far)
            self._change_so_far = extra
        else:
            assert so_far is not None, "only a change slows the step after it"
            self._believe_change(so_far + extra)

    def _believe_change(self, seen: float) -> None:
        # Single ones may come out below nothing: only their mean may not.
        self.change_ms = max(self.change_ms + _NEW_CHANGE * (seen - self.change_ms), 0.0)

    def observe_plain(self, milliseconds: float) -> None:
        """Take in the time of one step without drafts and without learning.

        The first two after a wider batch or a prompt pay for the change, and count only until there are
        others.
        """
        self._plain_steps += 1
        known = self.plain_ms
        if known is None or (self._rough and self._plain_steps > 2):
            self.plain[self._range] = milliseconds
            self._rough = self._plain_steps <= 2
        elif self._plain_steps > 2:
            self.plain[self._range] = _moved(known, milliseconds)
        self._last_width, self._change_so_far = 1, None

    def observe_copied(self, width: int, milliseconds: float) -> None:
        """Take in the time of one step of a tree that cost next to nothing to grow, and taught nothing.

        What a step of one token takes longer with that work than without it is added: trees that are grown
        must not look as cheap.
        """
        plain_ms = self.plain_ms
        work = 0.0 if plain_ms is None else max(self.of(1) - plain_ms, 0.0)
        self.observe(width, milliseconds + work)

    def measured_plain(self, milliseconds: float) -> None:
        """Begin with what measuring found: a step of one token without any work for drafts."""
        self.plain[self._range] = milliseconds

    def of(self, width: int) -> float:
        """Expected milliseconds of a step of ``width`` tokens; in one-token steps where nothing is known."""
        curve, known = self.curves.get(self._range, {}), self._known
        if not known:
            return 1.0 + _PRIOR_SLOPE * (width - 1)
        exact = curve.get(width)
        if exact is not None:
            return exact
        right = bisect_left(known, width)
        if right == 0:
            return curve[known[0]] / (1 + _PRIOR_SLOPE * (known[0] - 1)) * (1 + _PRIOR_SLOPE * (width - 1))
        low = known[right - 1]
        if right < len(known):
            high = known[right]
            return curve[low] + (curve[high] - curve[low]) * (width - low) / (high - low)
        if right >= 2:
            lower = known[right - 2]
            slope = max((curve[low] - curve[lower]) / (low - lower), 0.0)
        else:
            slope = _PRIOR_SLOPE * curve[low] / (1 + _PRIOR_SLOPE * (low - 1))
        return curve[low] + slope * (width - low)

    @property
    def last_width(self) -> int:
        """Width of the step before."""
        return self._last_width


def _moved(known: float, seen: float, weight: float = _NEW, leap: float = _LEAP) -> float:
    # A single stall (another program, a page fault) must not look like the machine's speed, nor must what is
    # left of a step when too much is taken off for a change of width.
    return known + weight * (min(max(seen, known / leap), leap * known) - known)


def _nearest(ranges: Iterable[int], now: int) -> int:
    return min(ranges, key=lambda other: abs(other - now))


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


Costs = StepCosts | FixedCosts
