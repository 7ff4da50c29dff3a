"""How wide to draft in one step."""

from collections.abc import Callable, Sequence

from trchat.recycling.cost import LADDER, Costs

_MARGIN = 1.03  # what drafting must promise over not drafting: promises err
_FIRST = 3  # nodes to ask for at first: hardly ever are one or two enough to tell


class WidthChoice:
    """Which width is best for one step, decided while a tree grows.

    ``decide`` asks for the gains of more nodes as long as they may pay.

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

        self.nodes = 0
        self.promised = 0.0
        self.look_to = look_to
        self.fixed = fixed
        self.gains = {1: 0.0} if n_forced == 1 else {}
        self._n_forced = n_forced
        self._trust = trust
        last, change = costs.last_width, costs.change_ms

        def price(width: int) -> float:
            return rate * (costs.of(width) + change * ((width != last) + (width != home)))

        self._nothing = -price(n_forced)
        self._steps = [
            (width - n_forced, _MARGIN * price(width))
            for width in LADDER
            if n_forced < width <= (min(widest, home) if fixed else widest)
        ]

    def decide(self, grow: Callable[[int], Sequence[float]]) -> None:
        """Have ``grow`` take up to so many nodes, and more while more may pay.

        It returns the gains of all so far, about the largest first. Where there are fewer than asked for, the
        usual width may still be the cheapest.
        """
        steps, trust, best = self._steps, self._trust, self._nothing
        gains: Sequence[float] = ()
        total, taken = 0.0, 0
        for number, (nodes, price) in enumerate(steps):
            if nodes > len(gains) >= taken:  # else there were no more
                gains = grow(max(nodes, _FIRST))
            for gain in gains[taken:nodes]:
                total += gain
            taken = nodes
            value = trust * total - price
            if value > best or self.fixed:
                best, self.nodes, self.promised = value, nodes, total
            self.gains[nodes + self._n_forced] = total
            wider = steps[number + 1 :]
            if wider and wider[0][0] + self._n_forced <= self.look_to:
                continue
            # What is still to come hardly gains more than this node did.
            most = gains[nodes - 1] if nodes <= len(gains) else 0.0
            if not any(trust * (total + (more - nodes) * most) - cost > best for more, cost in wider):
                return
