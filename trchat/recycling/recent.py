"""What the model lately considered and did not say: it often comes a little later."""

from trchat.recycling.kinds import RECENT, STRIDES, recent_level

_FADE = 0.85  # of a weight, per token emitted
_LEAST = 0.02
_MOST = 2.0


class RecentCandidates:
    """Weights of tokens that stood among the candidates of the last few emitted ones.

    Attributes:
        kinds: what each such token adds to the kind of a guess.
    """

    def __init__(self) -> None:
        self._weights: dict[int, float] = {}
        self.kinds: dict[int, int] = {}

    def step(self, rows: list[list[tuple[int, float]]], emitted: tuple[int, ...]) -> None:
        """Take in the candidates, with probabilities, among which each of ``emitted`` was chosen."""
        fade = _FADE ** len(emitted)
        weights = {token: weight * fade for token, weight in self._weights.items() if weight * fade >= _LEAST}
        for row, said in zip(rows, emitted, strict=False):
            for token, share in row:
                if token != said:
                    weights[token] = min(_MOST, weights.get(token, 0.0) + share)
        self._weights = weights
        stride = STRIDES[RECENT]
        self.kinds = {token: recent_level(weight) * stride for token, weight in weights.items()}
