"""How wide to draft in one step, and that it never costs more than it brings."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate

from trchat.recycling.cost import LADDER, Costs, Preparing, WidthHistory

_LATELY = 32  # steps: about how long a text stays as easy to guess as it is
_FIRST = 3  # nodes to ask for at first: hardly ever are one or two enough to tell
_LOSS = 0.01  # of the time that steps without drafts take: what drafts may lose
_LOSS_OVER = 1000.0  # tokens that this is meant over: a conversation
# Steps of one token that may be lost besides, or no first guess could be tried: with 2 bad luck alone stops
# drafts that pay (1.08 for 1.13 on the recorded answers, tests/recycling/test_regret.py), 100 bring no more.
_ALLOWANCE = 4.0


class WidthChoice:
    """Chooses each step's width on its own merits.

    A step of width w brings 1 + S(w) tokens, S being the sum of the path probabilities of its nodes, and
    takes c(w) milliseconds. A token is worth what it takes otherwise: 1 / r milliseconds, r being the tokens
    a millisecond that were reached lately. So the best width is the one that maximises S(w) - r c(w)
    (renewal-reward; Dinkelbach, 1967). One token wide is a width like any other.

    c(w) is what a step of w costs now: a change of width takes time (llama.cpp builds its compute graph for
    it), and where a GPU records its launches, so does the second step of a width in a row, mostly more. So
    there hardly a width but the narrowest comes twice in a row. A step that leaves narrow ones which would go
    on for nothing pays for the way back in advance.

    The only safety is a balance, in milliseconds, of what drafts saved and lost against steps of one token,
    looking for something to draft included. Where it has lost more than a hundredth lately, steps are one
    token wide, without a look, until time has made the loss a small part.

    Attributes:
        promised: tokens that the drafts of the step under way are expected to bring.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._tokens = self._ms = 0.0
        self._history = WidthHistory()
        self._balance_ms = 0.0
        self._undrafted_ms = 0.0  # that steps of one token would have taken so far
        self.promised = 0.0

    @property
    def rate(self) -> float:
        """Tokens a millisecond, lately."""
        return self._tokens / self._ms if self._ms else 1 / self._costs.of(1)

    @property
    def affordable(self) -> bool:
        """Whether drafting has lost no more than it may."""
        # A change of width and the one back are paid at once, for many steps.
        allowed = (
            _ALLOWANCE * self._costs.of(1)
            + self._costs.preparing_ms(Preparing.CHANGE)
            + self._back_ms
            + _LOSS * self._undrafted_ms
        )
        return self._balance_ms > -allowed

    @property
    def _back_ms(self) -> float:
        """What going back to narrow steps costs."""
        return self._costs.preparing_ms(Preparing.CHANGE) + self._costs.preparing_ms(Preparing.UPDATE)

    def begin(self) -> None:
        """Say that a prompt came between."""
        self._history.begin()

    def nodes(self, n_forced: int, widest: int, grow: Callable[[int], Sequence[float]]) -> int:
        """How many nodes to draft behind ``n_forced`` known tokens, in a batch of ``widest`` at most.

        ``grow`` takes up to so many nodes into the tree, and returns the path probabilities of all so far,
        about the largest first.
        """
        self.promised = 0.0
        nodes = self._best(n_forced, widest, grow) if self.affordable else 0
        self._history.ran(n_forced + nodes)
        return nodes

    def _best(self, n_forced: int, widest: int, grow: Callable[[int], Sequence[float]]) -> int:
        rate, widths = self.rate, _ladder(n_forced, widest)
        prices = self._prices(rate, widths)
        brought, best, seen = [0.0], 0.0, 1
        for width in widths[1:]:
            limit = max(width, widths[min(_FIRST, len(widths) - 1)]) - n_forced
            if limit < len(brought):
                continue
            gains = grow(limit)
            brought, n = [0.0, *accumulate(gains)], len(gains)
            seen = bisect_right(widths, n_forced + n)
            # What is still to come hardly gains more than the last node.
            more = gains[-1] if n == limit else 0.0
            hopes = [
                brought[min(each - n_forced, n)] + max(each - n_forced - n, 0) * more - price
                for each, price in zip(widths, prices, strict=True)
            ]
            best = max(hopes)
            if n < limit or best == max(hopes[:seen]):
                break
        gained = [
            brought[width - n_forced] - price for width, price in zip(widths[:seen], prices, strict=False)
        ]
        nodes = widths[gained.index(max(gained))] - n_forced
        self.promised = brought[nodes]
        return nodes

    def _prices(self, rate: float, widths: Sequence[int]) -> list[float]:
        """Tokens that a step of each width must bring to be worth more than one of the first."""
        milliseconds, history = self._costs.of_each(widths), self._history
        last, change, same = history.last, 0.0, 0.0
        if last:
            change = self._costs.preparing_ms(Preparing.CHANGE)
            same = self._costs.preparing_ms(history.needed(last))
        if last == widths[0] and history.settled:
            change += self._back_ms
        prices = [
            rate * (each + (same if width == last else change) - milliseconds[0])
            for width, each in zip(widths, milliseconds, strict=True)
        ]
        prices[0] = 0.0  # what more narrow steps still need is paid now or later
        return prices

    def step(self, tokens: int, milliseconds: float) -> None:
        """Take in what one step brought and took, with the drafting for it."""
        fade = 1 - 1 / _LATELY
        self._tokens = fade * self._tokens + tokens
        self._ms = fade * self._ms + milliseconds
        one_ms = self._costs.of(1)
        fade = 1 - tokens / _LOSS_OVER
        self._undrafted_ms = fade * self._undrafted_ms + tokens * one_ms
        saved = self._balance_ms + tokens * one_ms - milliseconds
        # What was saved is not there to be gambled away: the next text may be of another kind.
        self._balance_ms = fade * min(saved, _ALLOWANCE * one_ms)


@cache
def _ladder(n_forced: int, widest: int) -> list[int]:
    """The widths to choose from."""
    return [n_forced, *(width for width in LADDER if n_forced < width <= widest)]
