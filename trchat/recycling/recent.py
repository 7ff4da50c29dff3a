"""What the model lately considered and did not say: it often comes a little later."""

from collections.abc import KeysView, Sequence

from trchat.recycling.kinds import RECENT, STRIDES, recent_level

FADE = 0.85
"""Of a weight, per token emitted."""

LEAST, MOST = 0.02, 2.0
"""A weight below the one is nothing, and none is above the other."""

UNIT_AT_MOST = 1e6
"""Then weights are counted in a unit of 1 again, and what has faded is dropped."""


class RecentCandidates:
    """Weights of tokens that stood among the candidates of the last few emitted ones.

    Instead of fading all weights at each step, the unit that new ones are counted in grows.
    """

    def __init__(self) -> None:
        self._weights: dict[int, float] = {}
        self._unit = 1.0

    @property
    def tokens(self) -> KeysView[int]:
        """Those with any weight."""
        return self._weights.keys()

    def kind(self, token: int) -> int:
        """What one of ``tokens`` adds to the kind of a guess."""
        weight = self._weights[token] / self._unit
        return recent_level(weight) * STRIDES[RECENT] if weight >= LEAST else 0

    def step(
        self,
        candidates: Sequence[Sequence[int]],
        chances: Sequence[Sequence[float]],
        emitted: Sequence[int],
    ) -> None:
        """Take in the candidates, with their chances, among which each of ``emitted`` was chosen."""
        weights = self._weights
        unit = self._unit = self._unit / FADE ** len(emitted)
        for row, shares, said in zip(candidates, chances, emitted, strict=True):
            for token, share in zip(row, shares, strict=True):
                if token != said:
                    weights[token] = min(MOST * unit, weights.get(token, 0.0) + share * unit)
        if unit > UNIT_AT_MOST:
            self._weights = {
                token: weight / unit for token, weight in weights.items() if weight >= LEAST * unit
            }
            self._unit = 1.0
