"""How wide to draft in one step."""

from collections.abc import Callable, Sequence

from trchat.recycling.cost import LADDER, Costs

_MARGIN = 1.03  # what drafting must promise over not drafting: promises err


class WidthChoice:
    """Which width is best for one step, decided while a tree grows.

    Tell it each node's gain, largest first (``decide`` does, or ``take``, one by one); ask ``nodes`` at the
    end how many are worth their time.

    Attributes:
        nodes: how many to draft.
        promised: the tokens that they bring.
        gains: by width, what the nodes it holds bring; of the widths that were looked at.
        look_to: the width up to which to look in any case, for its gain; 0 = none.
        fixed: whether the home width is taken whatever it promises.
    """

    def __init__(
        self,
        costs: Costs,
        n_forced: int,
        widest: int,
        rate: float,
        home: int,
        look_to: int = 0,
        trust: float = 1.0,
        *,
        fixed: bool = False,
    ) -> None:
        """The batch holds ``n_forced`` known tokens; a millisecond is worth ``rate`` tokens.

        ``trust`` is the part of each gain that counts.
        """

        def price(width: int) -> float:
            changes = (width != costs.last_width) + (width != home)
            return rate * (costs.of(width) + costs.change_ms * changes)

        self.nodes = 0
        self.promised = 0.0
        self.look_to = look_to
        self.fixed = fixed
        self.gains = {1: 0.0} if n_forced == 1 else {}
        self._n_forced = n_forced
        self._sum = 0.0
        self._trust = trust
        self._best = -price(n_forced)
        self._taken = 0
        self._steps = [
            (width - n_forced, _MARGIN * price(width))
            for width in LADDER
            if n_forced < width <= (min(widest, home) if fixed else widest)
        ]
        self._next = 0

    def decide(self, grow: Callable[[int], Sequence[float]]) -> None:
        """Have ``grow`` take up to so many nodes, and more while more may pay; it returns the gains of all.

        Where there are fewer than asked for, the usual width may still be the cheapest.
        """
        for nodes, _ in self._steps:
            gains = grow(nodes)
            for number in range(self._taken, nodes):
                if not self.take(gains[number] if number < len(gains) else 0.0):
                    return

    def take(self, gain: float) -> bool:
        """Count one more node; False when no wider batch can become the best any more."""
        self._sum += gain
        self._taken += 1
        steps = self._steps
        if self._next < len(steps) and steps[self._next][0] == self._taken:
            value = self._trust * self._sum - steps[self._next][1]
            if value > self._best or self.fixed:
                self._best, self.nodes, self.promised = value, self._taken, self._sum
            self.gains[self._taken + self._n_forced] = self._sum
            self._next += 1
        if self._next < len(steps) and steps[self._next][0] + self._n_forced <= self.look_to:
            return True
        # What is still to come gains at most as much as this node did.
        return any(
            self._trust * (self._sum + (nodes - self._taken) * gain) - price > self._best
            for nodes, price in steps[self._next :]
        )
