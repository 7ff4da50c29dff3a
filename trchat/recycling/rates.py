"""Hit rates by kind of guess, mixed from those of its sources when they are asked for."""

from math import exp

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.kinds import SIZES, STRIDES

SURE = 30.0
"""Odds beyond this make no difference, and in the end overflow."""

_MOST_KINDS = 4096  # few of all that can be are ever met


def levels_and_sets(kinds: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of each of ``kinds`` (n,): the sources' levels (sources, n), and which say something, as bits (n,)."""
    levels = kinds // np.array(STRIDES)[:, None] % np.array(SIZES)[:, None]
    return levels, ((levels > 0) << np.arange(len(SIZES))[:, None]).sum(axis=0)


class Rates(dict[int, float]):
    """Hit rates by kind: those that were asked for once, which are kept up to date in one go.

    That is done while drafting learns. Worked out anew one by one, at the next draft, they took a fifth of
    its time.
    """

    def renew(
        self, stretched: NDArray[np.float32], weights: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None:
        """Mix anew: ``stretched`` (sources, levels), ``weights`` (sets, sources), ``bias`` (sets,)."""
        # Plain numbers come out of lists several times faster than out of arrays.
        self._stretched: list[list[float]] = stretched.tolist()
        self._weights: list[list[float]] = weights.tolist()
        self._bias: list[float] = bias.tolist()
        if len(self) > _MOST_KINDS:
            self.clear()
        if not self:
            return
        kinds = list(self)
        levels, sets = levels_and_sets(np.array(kinds, np.int32))
        evidence = stretched[np.arange(len(SIZES))[:, None], levels].astype(np.float64) * (levels > 0)
        odds = (weights.T[:, sets] * evidence).sum(axis=0) + bias[sets]
        self.update(zip(kinds, (1 / (1 + np.exp(-np.clip(odds, -SURE, SURE)))).tolist(), strict=True))

    def __missing__(self, kind: int) -> float:
        members, odds = 0, 0.0
        found = []
        rest = kind
        for source, size in enumerate(SIZES):
            rest, level = divmod(rest, size)
            if level:
                members |= 1 << source
                found.append((source, level))
        weights = self._weights[members]
        for source, level in found:
            odds += weights[source] * self._stretched[source][level]
        odds = min(max(odds + self._bias[members], -SURE), SURE)
        rate = 1 / (1 + exp(-odds))
        self[kind] = rate
        return rate
