"""What a step costs by batch width and length of context on this machine."""

from bisect import bisect_left

from trchat.recycling.context_cost import ContextCost
from trchat.recycling.fixed_costs import FixedCosts

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Batch widths to choose from: few, so that llama.cpp can reuse its compute graphs."""

_MEASURED = 0.12**2  # variance of a cost measured once, relative to it
_NOISE = 0.1**2  # and of a step's time
_DRIFT = 0.03**2  # by which a cost is less certain after each step: machines get slower and faster
_ROUGH = 4.0  # times the noise, where a change of width had to be taken off
_ROUGHER = 16.0  # times that, behind a prompt
_LEAP = 0.3  # of what a step was thought to take: how far off it is believed to be, at least
_FAR = 1.6  # times what it was thought to take: a step that is far off
_DOUBT = 0.5  # of it, where the step before of that width was far off too: how wrong it may be
_NEW_PLAIN = 0.2  # weight of a step of one token, less its work, as one of plain decoding
_NEW_CHANGE = 0.02  # and of what a change of width cost
_DEAREST_CHANGE = 4.0  # steps that a change may seem to cost in each of the two steps it slows
_SUDDEN, _SCATTER = 3.0, 0.15  # times what a change cost so far, and of a step: more must be seen more often
_PRIOR_SLOPE = 0.5  # extra cost of a token, in one-token steps, until the machine has shown another
_LEAST_MS = 1e-3  # that a step may take: clocks are coarse
_PROMPT = -1  # as the width before a text's first step


class StepCosts:
    """Milliseconds of a step by batch width and length of context, learned while running.

    A step takes what its width takes with an empty context, and what the context adds (see ContextCost).
    Widths not tried yet lie on a line between their neighbours, beyond the widest one on the last slope.
    What a step took other than thought is shared between both parts by how uncertain they are (a Kalman
    filter, the widths' costs taken as independent of each other and of the context's).

    Attributes:
        curve: milliseconds by width with an empty context, the work around the model included.
        context: what a longer one adds.
        change_ms: what a change of width costs, in the step with the new width and the one after it: the
            compute graph is built anew, and a GPU records its launches only when a graph comes again.
        plain: milliseconds of a step of one token with an empty context and without any work for drafts;
            None = not seen yet.
    """

    def __init__(self, shared: bool = False) -> None:
        """``shared`` is as for ContextCost."""
        self.curve: dict[int, float] = {}
        self.plain: float | None = None
        self.context = ContextCost(shared)
        self.change_ms = 0.3
        self._spread: dict[int, float] = {}  # variance of each width's cost, relative to it
        self._plain_spread = _MEASURED
        self._first_ms = self.change_ms  # the part of ``change_ms`` that falls into the first step
        self._change_so_far: float | None = None  # of a change in the step before
        self._last_width = 0
        self._plain_steps = 0  # one after another, so far
        self._rough = True  # whether all plain steps seen yet, if any, paid for a change of width
        self._known: list[int] = []
        self._was_far: set[int] = set()  # widths whose last step was

    @property
    def plain_ms(self) -> float | None:
        """A step of one token without any work for drafts, in this context; None = not seen yet."""
        return None if self.plain is None else self.plain + self.context.of(1)

    @property
    def plain_seen(self) -> bool:
        """Whether plain steps of an answer have shown that; else it was measured once, or is not known."""
        return not self._rough

    @property
    def last_width(self) -> int:
        """Width of the step before."""
        return self._last_width

    def knows(self, width: int) -> bool:
        """Whether steps of ``width`` were measured or seen."""
        return width in self.curve

    def of(self, width: int) -> float:
        """Expected milliseconds of a step of ``width`` tokens; in one-token steps where nothing is known."""
        return self._alone(width) + self.context.of(width)

    def recall(
        self,
        curve: dict[int, float],
        change_ms: float,
        plain: float | None = None,
        context: tuple[float, float] | None = None,
        shared: bool = False,
    ) -> None:
        """Go on from what an earlier session on the same machine has learned.

        ``context`` holds the milliseconds that 1,000 cells add to a step, and to each of its rows; ``shared``
        is as for ContextCost.
        """
        self.context = ContextCost(shared)
        self.curve = curve
        self.change_ms = self._first_ms = change_ms
        self.plain = plain
        self._rough = plain is None
        self._spread = dict.fromkeys(curve, _MEASURED)
        self._known = sorted(curve)
        if context is not None:
            self.context.recall(*context, self._alone(1), self._row_ms())

    def enter(self, n_cells: int) -> None:
        """Say how long the context is now, in cells."""
        self.context.enter(n_cells)
        if n_cells and self._known and not self.context.known:
            self.context.expect(self._alone(1), self._row_ms())

    def begin(self) -> None:
        """Say that a prompt came between: the next step changes the shape of batches, whatever its width."""
        self._last_width = _PROMPT
        self._change_so_far = None
        self._plain_steps = 0

    def measured(self, width: int, milliseconds: float, change_ms: float | None = None) -> None:
        """Begin with what measuring in an empty context found, of ``width`` and of changing to it.

        A single run may have been held up, and a width that looks dear is never run again to show better. So
        none counts as dearer than a wider one, until it is run and shows that it is.
        """
        curve = self.curve
        wider = [taken for other, taken in curve.items() if other > width]
        curve[width] = milliseconds = max(min([milliseconds, *wider]), _LEAST_MS)
        for other, taken in curve.items():
            if other < width:
                curve[other] = min(taken, milliseconds)
        self._spread[width] = _MEASURED
        self._known = sorted(curve)
        if change_ms is not None:
            self.change_ms = self._first_ms = change_ms

    def measured_plain(self, milliseconds: float) -> None:
        """Begin with what measuring found: a step of one token without any work for drafts."""
        self.plain = max(milliseconds, _LEAST_MS)

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
        changed = width != self._last_width and self._last_width != 0
        settled = not changed and self._change_so_far is None
        after_prompt = self._last_width == _PROMPT
        self._last_width, self._plain_steps = width, 0
        if width == 1 and settled and work_ms is not None and self.plain is not None:
            self._follow_plain(milliseconds - work_ms)
        expected = self.of(width)
        if width not in self.curve:
            self._meet(width, milliseconds)
            return
        if not settled:
            self._observe_change(milliseconds - expected, expected, changed=changed)
            if not changed:
                return
            # Or a width that never comes twice in a row would keep its first price for ever.
            milliseconds -= self._first_ms
        # One step alone may have been held up, but hardly two in a row. What a prompt costs the step behind
        # it says nothing.
        far = milliseconds > _FAR * expected
        doubt = far and width in self._was_far and not after_prompt
        noise = _NOISE * (_ROUGHER if after_prompt else 1.0) * (_ROUGH if changed else 1.0)
        self.curve[width], self._spread[width] = self._corrected(
            self.curve[width], self._spread[width], width, milliseconds, noise, doubt
        )
        if not after_prompt:
            (self._was_far.add if far else self._was_far.discard)(width)

    def observe_plain(self, milliseconds: float) -> None:
        """Take in the time of one step without drafts and without learning.

        The first two after a wider batch or a prompt pay for the change, and count only until there are
        others.
        """
        self._plain_steps += 1
        if self.plain is None:
            self.plain = max(milliseconds - self.context.of(1), _DOUBT * milliseconds, _LEAST_MS)
            self._plain_spread = 1.0
        elif self._plain_steps > 2:
            self.plain, self._plain_spread = self._corrected(
                self.plain, self._plain_spread, 1, milliseconds, _NOISE
            )
        if self._plain_steps > 2:
            self._rough = False
        self._last_width, self._change_so_far = 1, None

    def observe_copied(self, width: int, milliseconds: float) -> None:
        """Take in the time of one step of a tree that cost next to nothing to grow, and taught nothing.

        What a step of one token takes longer with that work than without it is added: trees that are grown
        must not look as cheap.
        """
        work = 0.0 if self.plain is None else max(self._alone(1) - self.plain, 0.0)
        self.observe(width, milliseconds + work)

    def _alone(self, width: int) -> float:
        """Milliseconds of a step of ``width`` tokens with an empty context."""
        curve, known = self.curve, self._known
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

    def _row_ms(self) -> float:
        """What a further row costs with an empty context, over trees of usual sizes."""
        one, wide = self._alone(1), self._alone(16)
        return max((wide - one) / 15, 0.01 * one)

    def _meet(self, width: int, milliseconds: float) -> None:
        """Take in the first step of ``width``."""
        guess = self._alone(width)
        alone = milliseconds - self.context.of(width)
        self.curve[width] = min(max(alone, _DOUBT * guess), guess) if self._known else max(alone, _LEAST_MS)
        self._spread[width] = _MEASURED
        self._known = sorted(self.curve)
        self._change_so_far = None

    def _corrected(
        self, alone: float, spread: float, width: int, milliseconds: float, noise: float, doubt: bool = False
    ) -> tuple[float, float]:
        """The cost ``alone`` (with an empty context) and its relative variance after one more step.

        The context's part is corrected too. ``noise`` is the step's variance, relative to its time.
        """
        expected = alone + self.context.of(width)
        of_context = self.context.variance(width)
        of_width = spread * alone**2
        if doubt:
            of_width += (_DOUBT * expected) ** 2
        variance = of_context + of_width + noise * expected**2 + _LEAST_MS**2
        # A single stall (another program, a page fault) must not look like the machine's speed, nor must what
        # is left of a step when too much is taken off for a change of width.
        most = expected if doubt else max(_LEAP * expected, 2 * (of_context + of_width) ** 0.5)
        error = min(max(milliseconds - expected, -most), most)
        self.context.learn(width, error, variance)
        alone = max(alone + of_width / variance * error, 0.1 * alone, _LEAST_MS)
        if not doubt:
            spread = min(spread * (1 - of_width / variance) + _DRIFT, _MEASURED)
        return alone, spread

    def _follow_plain(self, milliseconds: float) -> None:
        assert self.plain is not None
        expected = self.plain + self.context.of(1)
        seen = min(max(milliseconds, expected / (1 + _LEAP)), expected * (1 + _LEAP))
        self.plain = max(self.plain + _NEW_PLAIN * (seen - expected), 0.1 * self.plain, _LEAST_MS)

    def _observe_change(self, extra: float, usual: float, *, changed: bool) -> None:
        """Take in one of the two steps that a change slows, by how much longer than usual it took."""
        # A stall is no change of width: what a change costs is believed to grow only step by step.
        extra = min(extra, max(_SUDDEN * self.change_ms, _SCATTER * usual), _DEAREST_CHANGE * usual)
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


Costs = StepCosts | FixedCosts
