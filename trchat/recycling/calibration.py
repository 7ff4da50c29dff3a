"""How often guesses of each kind come true, learned from every emitted token."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.kinds import PRIORS, SIZES, SOURCES
from trchat.recycling.native import binding
from trchat.recycling.native.binding import Kernel, address, freed_with
from trchat.recycling.rates import SURE, Rates, levels_and_sets

_PRIOR_WEIGHT = 12.0  # a source's prior counts as so many observations
_RATE = 0.01  # of what all sets of sources learn together
_SET_RATE = 0.005  # and of what each set learns for itself
_ANY_GUESS = 0.05  # about the share of guesses that come true
# By number of sources, the last for more: in part they repeat one another.
_AGREEMENT = (1.0, 1.0, 0.7, 0.6, 0.5, 0.45, 0.42)
_SHARED_EVIDENCE = 0.5  # of what agreement adds: sources that agree have often seen the same text
_FORGET_AT = 4000.0
_AT_ONCE = 24  # labels whose errors are added up: more in one go would overshoot

Labels = tuple[NDArray[np.int32], NDArray[np.uint8]]
"""Of guesses (n,): the kind of each, and whether it was the token that was emitted, 0 or 1."""

_N = len(SOURCES)


class Calibration:
    """Hit rates by kind of guess (see trchat.recycling.kinds).

    Each source has a hit rate per level. A kind's rate is their logistic mix, as in context-mixing
    compressors (Mahoney, PAQ), with weights learned online: one set shared by all kinds, so that rare
    combinations of sources profit from common ones, and corrections for each set of sources. Every emitted
    token labels all guesses there were for it, drafted or not, so nothing needs to be explored and drafting
    that stopped can start again.

    Attributes:
        source_hits, source_seen: float32, shape (sources, levels).
        weights, bias: float32, shapes (sources,), (1,); shared by all sets of sources.
        set_weights, set_bias: float32, shapes (sets, sources), (sets,); a set is a bit mask of sources.
        handle: of the same rates in the compiled kernel; None where there is none.

    The arrays stay where they are: who changes them does so in place, and calls ``refresh``.
    """

    # What outlives the program is described here, so that whoever keeps it need not know what it means.
    COUNTS: ClassVar = (("source_hits", "source_seen"),)
    """Pairs of arrays: how many guesses came true, and of how many; those of two programs may be added up."""
    MOST_SEEN: ClassVar = 4 * _FORGET_AT
    """Counts are halved long before."""
    WEIGHTS: ClassVar = {"weights": 2.0, "bias": 16.0, "set_weights": 2.0, "set_bias": 16.0}
    """Other learned arrays, and how large their numbers may be: beyond that exp() would overflow."""

    def __init__(self) -> None:
        self.source_hits = np.zeros((_N, max(SIZES)), np.float32)
        self.source_seen = np.full((_N, max(SIZES)), _PRIOR_WEIGHT, np.float32)
        for source, prior in enumerate(PRIORS):
            self.source_hits[source, : len(prior)] = np.array(prior) * _PRIOR_WEIGHT
        self.weights = np.zeros(_N, np.float32)
        self.bias = np.zeros(1, np.float32)
        agreeing = np.array([members.bit_count() for members in range(1 << _N)])
        start = np.array(_AGREEMENT)[np.minimum(agreeing, len(_AGREEMENT) - 1)]
        self.set_weights = np.repeat(start[:, None], _N, axis=1).astype(np.float32)
        # Each source moves the odds away from those of any guess; without a bias they would be added anew.
        base = _SHARED_EVIDENCE * np.log(_ANY_GUESS / (1 - _ANY_GUESS))
        self.set_bias = (base * (1 - agreeing * start)).astype(np.float32)
        self._rates = Rates()
        self._stale = True  # the above, while the kernel has its own
        self._stretched = np.zeros_like(self.source_hits)
        self._version = np.zeros(1, np.int64)
        self.handle = None if binding.KERNEL is None else self._compiled(binding.KERNEL)
        self.refresh()

    def _compiled(self, kernel: Kernel) -> int:
        """The same memory as the kernel sees it."""
        counts = (self.source_hits, self.source_seen)
        weights = (self.weights, self.bias, self.set_weights, self.set_bias)
        arrays = (np.array(SIZES, np.int32), *counts, *weights, self._stretched, self._version)
        places = [address(array) for array in arrays]
        handle: int = kernel.rates_new(*counts[0].shape, *places, _RATE, _SET_RATE, SURE, _AT_ONCE)
        return freed_with(self, kernel.rates_free, handle)

    @property
    def nbytes(self) -> int:
        """Resident size of what was learned."""
        learned = (
            self.source_hits,
            self.source_seen,
            self.weights,
            self.bias,
            self.set_weights,
            self.set_bias,
        )
        return sum(array.nbytes for array in learned)

    def learn(self, kinds: NDArray[np.int32], right: NDArray[np.uint8]) -> None:
        """Learn labels."""
        if not len(kinds):
            return
        if binding.KERNEL is not None and self.handle is not None:
            kinds, right = np.ascontiguousarray(kinds, np.int32), np.ascontiguousarray(right, np.uint8)
            binding.KERNEL.rates_learn(self.handle, address(kinds), address(right), len(kinds))
        else:
            self._learn(kinds, right)
        self.refresh()

    def _learn(self, kinds: NDArray[np.int32], right: NDArray[np.uint8]) -> None:
        levels, sets = levels_and_sets(kinds)
        rows = np.arange(_N)[:, None]
        np.add.at(self.source_seen, (rows, levels), 1)
        np.add.at(self.source_hits, (rows, levels), right)
        stretched = _stretched(self.source_hits, self.source_seen)[rows, levels] * (levels > 0)
        for start in range(0, len(kinds), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            evidence, members = stretched[:, part], sets[part]
            weights = self.weights[:, None] + self.set_weights[members].T
            odds = (weights * evidence).sum(axis=0) + self.bias + self.set_bias[members]
            error = right[part] - np.reciprocal(1 + np.exp(-np.clip(odds, -SURE, SURE)))
            self.weights += _RATE * (evidence @ error)
            self.bias += _RATE * error.sum()
            np.add.at(self.set_weights, members, _SET_RATE * (error * evidence).T)
            np.add.at(self.set_bias, members, _SET_RATE * error)

    def by_source(self) -> list[tuple[str, float, float]]:
        """For each source: its name, how many of its guesses came true lately, and of how many."""
        fresh = Calibration()
        found = []
        for number, name in enumerate(SOURCES):
            # Counts begin with a prior, which was never seen; level 0 stands for "no guess".
            hits = self.source_hits[number, 1:] - fresh.source_hits[number, 1:]
            seen = self.source_seen[number, 1:] - fresh.source_seen[number, 1:]
            total = max(float(seen.sum()), 0.0)
            found.append((name, min(max(float(hits.sum()), 0.0), total), total))
        return found

    def refresh(self) -> None:
        """Let what was learned count from now on, and let old counts fade."""
        old = self.source_seen > _FORGET_AT
        self.source_hits[old] /= 2
        self.source_seen[old] /= 2
        self._stretched[:] = _stretched(self.source_hits, self.source_seen)
        self._version += 1
        self._stale = True
        if self.handle is None:
            self._renew()  # here, beside a GPU, rather than in the next draft

    @property
    def rates(self) -> Rates:
        """Hit rates by kind, for trees that are grown in Python."""
        if self._stale:
            self._renew()
        return self._rates

    def _renew(self) -> None:
        self._rates.renew(
            self._stretched, self.weights + self.set_weights, float(self.bias[0]) + self.set_bias
        )
        self._stale = False


def _stretched(hits: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    rate = np.clip(hits / seen, 0.001, 0.999)
    stretched: NDArray[np.float32] = np.log(rate / (1 - rate), dtype=np.float32)
    return stretched
