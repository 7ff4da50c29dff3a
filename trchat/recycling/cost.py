"""What a step costs by batch width and length of context on this machine."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

LADDER = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64)
"""Batch widths to choose from. Between them a width would gain little over the next narrower one, and
llama.cpp reuses what it has prepared for a width that came before."""

_CELLS = 1000  # what the context's rates are for
_NOISE = 0.1  # of a step's time, relative to it: what two equal steps differ by on a machine in use
_DRIFT = 0.03  # of how unsure a number is to begin with, from step to step: the last dozen steps count
_UNSURE = 0.12  # of a cost that was measured once, or by an earlier session
_UNTRIED = 0.5  # of the cost of a width that was never run
_OUTLIER = 2.5  # standard deviations; a step that is further off was held up by something else
# Until the machine shows another: what each further token costs, in one-token steps. Real weights on CPUs and
# GPUs have shown 0.05 to 0.9; one that is too dear would keep the width from ever being tried.
_SLOPE = 0.3
_LEAST_MS, _LEAST_RATIO = 1e-3, 1e-3  # that a step may take: clocks are coarse
_SLOWED = 2  # steps behind a prompt that pay for the change from its shape, whatever they are


class Preparing(IntEnum):
    """What a batch needs besides being computed, by the widths before it."""

    NOTHING = 0
    CHANGE = 1
    """llama.cpp builds its compute graph for another width than the last one."""
    UPDATE = 2
    """A GPU records the launches of a width that comes the second time in a row: the one recorded last."""
    RECORDING = 3
    """The same, of another width than was recorded last, which takes it several times as long."""


class WidthHistory:
    """What llama.cpp and a GPU have ready, by the widths of the batches so far.

    Attributes:
        last: width of the last batch; 0 = a prompt came between.
        settled: whether the last width will be run again for nothing.
    """

    def __init__(self) -> None:
        self.last = 0
        self.settled = False
        self._recorded = 1

    def begin(self) -> None:
        """Say that a prompt came between."""
        self.last, self.settled = 0, False

    def needed(self, width: int) -> Preparing:
        """What a batch of ``width`` needs next."""
        if width != self.last:
            return Preparing.CHANGE if self.last else Preparing.NOTHING
        if self.settled:
            return Preparing.NOTHING
        return Preparing.UPDATE if width == self._recorded else Preparing.RECORDING

    def ran(self, width: int) -> None:
        """Say that a batch of ``width`` came."""
        self.settled = width == self.last
        if self.settled:
            self._recorded = width
        self.last = width


@dataclass(slots=True)
class _Estimate:
    """A number that steps tell about, how unsure it is, and how unsure it was to begin with."""

    value: float
    deviation: float
    unsure: float


class StepCosts:
    """Milliseconds of a step by batch width and length of context, learned while running.

    A step of ``width`` tokens behind ``n`` thousand cells is thought to take

        one * ratio(width) + n * (per_step + per_row * width) + preparing

    where ``one`` is a step of one token in an empty context, so that a machine that gets slower or faster as
    a whole is followed at all widths, and ``preparing`` depends on the widths before. All these numbers are
    corrected by every step, each by its share of the uncertainty (a Kalman filter that takes them as
    independent of each other). Ratios not known yet lie on a line between their neighbours, beyond the widest
    one on the last slope.

    Attributes:
        shared: whether one reading of the context serves many rows, as on a GPU or without flash attention;
            else each row reads it anew.
        work_ms: what learning takes of a step of one token.
    """

    def __init__(self, shared: bool = False) -> None:
        self.shared = shared
        self.work_ms = 0.0
        self._one: _Estimate | None = None
        self._ratios: dict[int, _Estimate] = {}  # of the widths above one
        self._known: list[int] = [1]
        self._read_off: dict[int, float] = {}  # ratios by width, until one changes
        self._history = WidthHistory()
        self._preparing = _preparing(0.3, 0.0, 0.0)
        self._per_step, self._per_row = _Estimate(0.0, 0.0, 0.0), _Estimate(0.0, 0.0, 0.0)
        self._thousands = 0.0
        self._slowed = 0

    # --- what is thought ---

    @property
    def known(self) -> bool:
        """Whether any step was timed."""
        return self._one is not None

    @property
    def curve(self) -> dict[int, float]:
        """Milliseconds by width with an empty context, the work around the model included."""
        if self._one is None:
            return {}
        one = self._one.value
        return {1: one, **{width: one * ratio.value for width, ratio in sorted(self._ratios.items())}}

    @property
    def context(self) -> tuple[float, float]:
        """Milliseconds that 1,000 cells add to a step, and to each of its rows."""
        return self._per_step.value, self._per_row.value

    def preparing_ms(self, what: Preparing) -> float:
        """Milliseconds that preparing a batch takes."""
        return self._preparing[what].value

    @property
    def plain_ms(self) -> float | None:
        """A step of one token without any work for drafts, in this context; None = nothing was seen yet."""
        return None if self._one is None else max(self.of(1) - self.work_ms, _LEAST_MS)

    def knows(self, width: int) -> bool:
        """Whether steps of ``width`` were measured or seen."""
        return self._one is not None and (width == 1 or width in self._ratios)

    def of(self, width: int) -> float:
        """Expected milliseconds of a step of ``width`` tokens; in one-token steps where nothing is known."""
        one, n = 1.0 if self._one is None else self._one.value, self._thousands
        return one * self._ratio(width) + n * (self._per_step.value + self._per_row.value * width)

    def of_each(self, widths: Sequence[int]) -> list[float]:
        """As ``of``, for several widths."""
        one = 1.0 if self._one is None else self._one.value
        n, ratios = self._thousands, self._read_off
        per_step, per_row = n * self._per_step.value, n * self._per_row.value
        try:
            return [one * ratios[width] + per_step + per_row * width for width in widths]
        except KeyError:
            ratios.update({width: self._ratio(width) for width in widths})
            return self.of_each(widths)

    def _ratio(self, width: int) -> float:
        if width == 1:
            return 1.0
        exact = self._ratios.get(width)
        if exact is not None:
            return exact.value
        known = self._known
        right = bisect_left(known, width)
        low = known[right - 1]
        low_ratio = self._ratios[low].value if low > 1 else 1.0
        if right < len(known):
            slope = (self._ratios[known[right]].value - low_ratio) / (known[right] - low)
        elif low > 1:
            below = known[right - 2]
            below_ratio = self._ratios[below].value if below > 1 else 1.0
            slope = max((low_ratio - below_ratio) / (low - below), 0.0)
        else:
            slope = _SLOPE
        return low_ratio + slope * (width - low)

    # --- what steps tell ---

    def recall(
        self,
        curve: dict[int, float],
        preparing: Sequence[float],
        plain: float | None = None,
        context: tuple[float, float] | None = None,
        shared: bool = False,
    ) -> None:
        """Go on from what an earlier session on the same machine has learned; the names are as above.

        ``preparing`` holds the milliseconds of a change, an update and a recording. A curve without the time
        of one token is as good as none.
        """
        self.shared = shared
        if 1 not in curve:
            return
        for width in sorted(curve):
            self.measured(width, curve[width])
        self._preparing = _preparing(*preparing)
        if plain is not None:
            self.work_ms = min(max(curve[1] - plain, 0.0), 0.5 * curve[1])
        if context is not None:
            found = ((self._per_step, context[0]), (self._per_row, context[1]))
            # What cannot be is left aside: it might take for ever to be unlearned.
            if all(rate <= part.value + 10 * part.deviation for part, rate in found):
                for part, rate in found:
                    part.value = rate

    def enter(self, n_cells: int) -> None:
        """Say how long the context is now, in cells."""
        self._thousands = n_cells / _CELLS

    def begin(self) -> None:
        """Say that a prompt came between."""
        self._history.begin()
        self._slowed = _SLOWED

    def measured(
        self, width: int, milliseconds: float, preparing: tuple[float, float, float] | None = None
    ) -> None:
        """Begin with what measuring in an empty context found, of ``width`` and of a change, an update and a
        recording.

        A single run may have been held up, and a width that looks dear is never run again to show better. So
        none counts as dearer than a wider one, until it is run and shows that it is.
        """
        milliseconds = max(milliseconds, _LEAST_MS)
        if self._one is None or width == 1:
            one = milliseconds if width == 1 else milliseconds / self._ratio(width)
            self._one = _Estimate(one, _UNSURE * one, _UNTRIED * one)
        if width > 1:
            ratio = milliseconds / self._one.value
            wider = [each.value for other, each in self._ratios.items() if other > width]
            ratio = max(min([ratio, *wider]), _LEAST_RATIO)
            self._ratios[width] = _Estimate(ratio, _UNSURE * ratio, _UNTRIED * ratio)
            for other, each in self._ratios.items():
                if other < width:
                    each.value = min(each.value, ratio)
            self._known = [1, *sorted(self._ratios)]
            self._read_off = {}
        if preparing is not None:
            self._preparing = _preparing(*preparing)
        self._expect_context()

    def _expect_context(self) -> None:
        """What a context adds until steps behind one have told: by what a further row costs without one."""
        assert self._one is not None
        one = self._one.value
        row = max(one * (self._ratio(16) - 1) / 15, 0.01 * one)
        # A CPU's flash attention reads the context for each row: seen were two further rows' time for 1,000
        # cells. Elsewhere one reading serves all, and a row adds little.
        usual, spread, step = (0.2, 0.3, 0.1) if self.shared else (2.0, 2.0, 0.2)
        self._per_step = _Estimate(0.0, step * one, step * one)
        self._per_row = _Estimate(usual * row, spread * row, spread * row)

    def observe(
        self, width: int, milliseconds: float, learning_ms: float = 0.0, drafting_ms: float = 0.0
    ) -> float:
        """Take in the time of one step, ``learning_ms`` of it spent on that; drafting for it comes on top.

        Returns the milliseconds that it counts as, drafting included: without what a prompt costs the steps
        behind it, or what else held it up, which a step of another width would have paid too.
        """
        if self._one is None:
            self.measured(width, milliseconds)
        needed = self._history.needed(width)
        self._history.ran(width)
        if self._slowed:
            self._slowed -= 1
            return drafting_ms + min(milliseconds, self.of(width))
        if width == 1:
            self.work_ms += 0.1 * (learning_ms - self.work_ms)  # as quickly as ``one`` is followed
        return drafting_ms + self._corrected(width, milliseconds, needed)

    def _corrected(self, width: int, milliseconds: float, needed: Preparing) -> float:
        assert self._one is not None
        one, n = self._one, self._thousands
        own, weight, least = one, 1.0, _LEAST_MS
        if width > 1:
            if width not in self._ratios:
                ratio = self._ratio(width)
                self._ratios[width] = _Estimate(ratio, _UNTRIED * ratio, _UNTRIED * ratio)
                self._known = [1, *sorted(self._ratios)]
            own, weight, least = self._ratios[width], one.value, _LEAST_RATIO
            self._read_off = {}
        parts = [(own, weight), (self._per_step, n), (self._per_row, n * width)]
        if needed:
            parts.append((self._preparing[needed], 1.0))
        expected = variance = 0.0
        for part, factor in parts:
            expected += part.value * factor
            variance += (part.deviation * factor) ** 2
        variance += (_NOISE * expected) ** 2 + _LEAST_MS**2
        most: float = _OUTLIER * variance**0.5
        error = min(max(milliseconds - expected, -most), most)
        for part, factor in parts:
            gain = part.deviation**2 * factor / variance
            part.value = max(part.value + gain * error, least if part is own else 0.0)
            left = part.deviation**2 * (1 - gain * factor) + (_DRIFT * part.unsure) ** 2
            part.deviation = min(left**0.5, part.unsure)
        return expected + error


def _preparing(change_ms: float, update_ms: float, recording_ms: float) -> dict[Preparing, _Estimate]:
    return {
        what: _Estimate(ms, max(ms, 0.3), max(ms, 0.3))
        for what, ms in zip(Preparing, (0.0, change_ms, update_ms, recording_ms), strict=True)
    }


class FixedCosts:
    """A cost curve measured elsewhere, to judge what would be chosen on another machine."""

    def __init__(self, milliseconds: dict[int, float], change_ms: float) -> None:
        """``milliseconds`` by width, of at least two; between them, and beyond, times lie on a line."""
        self._curve = sorted(milliseconds.items())
        self._change_ms = change_ms
        self.plain_ms: float | None = self.of(1)
        self._history = WidthHistory()

    def preparing_ms(self, what: Preparing) -> float:
        """Only a change of width costs anything."""
        return self._change_ms if what is Preparing.CHANGE else 0.0

    def of(self, width: int) -> float:
        """Milliseconds of a step of ``width`` tokens, in any context."""
        right = min(max(bisect_left(self._curve, (width, 0.0)), 1), len(self._curve) - 1)
        (low, low_ms), (high, high_ms) = self._curve[right - 1 : right + 1]
        slope = (high_ms - low_ms) / (high - low)
        # No width beyond is cheaper than the widest one measured.
        return low_ms + slope * (width - low) if width <= high else high_ms + max(slope, 0.0) * (width - high)

    def of_each(self, widths: Sequence[int]) -> list[float]:
        """As ``of``, for several widths."""
        return [self.of(width) for width in widths]

    def knows(self, width: int) -> bool:
        """No: another machine's times say nothing about this one's."""
        return False

    def enter(self, n_cells: int) -> None:
        """The curve holds for all lengths."""

    def begin(self) -> None:
        """Forget the width before."""
        self._history.begin()

    def observe(
        self, width: int, milliseconds: float, learning_ms: float = 0.0, drafting_ms: float = 0.0
    ) -> float:
        """Remember the width; returns what a step of it would have taken on the curve's machine."""
        needed = self._history.needed(width)
        self._history.ran(width)
        return self.of(width) + self.preparing_ms(needed)


Costs = StepCosts | FixedCosts
