"""How often guesses of each kind come true, learned from every emitted token."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.kinds import N_KINDS, PRIORS, SIZES, SOURCES, STRIDES

_SOURCE_WEIGHT = 12.0  # a source's prior counts as so many observations
_KIND_WEIGHT = 40.0  # and the mix of its sources for a kind as so many
_RATE = 0.005
_ANY_GUESS = 0.05  # about the share of guesses that come true
_AGREEMENT = (1.0, 1.0, 0.7, 0.6, 0.5, 0.45)  # by number of sources: in part they repeat one another
_FORGET_AT = 4000.0
_REFRESH_EVERY = 16


class Calibration:
    """Hit rates by kind of guess (see trchat.recycling.kinds).

    Each source has a hit rate per level. Their logistic mix, with weights learned online for each set of
    sources that agree (as in context-mixing compressors: Mahoney, PAQ), is the prior of a kind; the kind's
    own counts override it as they grow. Every emitted token labels all guesses there were for it, drafted
    or not, so nothing needs to be explored and drafting that stopped can start again.

    Attributes:
        rates: a memoryview of floats by kind, for fast scalar reads.
        hits, seen: float32, shape (N_KINDS,).
    """

    # What outlives the program is described here, so that whoever keeps it need not know what it means.
    COUNTS: ClassVar = (("hits", "seen"), ("source_hits", "source_seen"))
    """Pairs of arrays: how many guesses came true, and of how many; those of two programs may be added up."""
    MOST_SEEN: ClassVar = 4 * _FORGET_AT
    """Counts are halved long before."""
    WEIGHTS: ClassVar = {"weights": 2.0, "bias": 16.0}
    """Other learned arrays, and how large their numbers may be: beyond that exp() would overflow."""

    def __init__(self) -> None:
        kinds = np.arange(N_KINDS)
        self._levels = np.stack(
            [kinds // stride % size for stride, size in zip(STRIDES, SIZES, strict=True)]
        ).astype(np.int8)
        self._present = self._levels > 0
        n_sources = len(STRIDES)
        self._set = (self._present * (1 << np.arange(n_sources))[:, None]).sum(axis=0).astype(np.int8)
        self.hits = np.zeros(N_KINDS, np.float32)
        self.seen = np.zeros(N_KINDS, np.float32)
        self.source_hits = np.zeros((n_sources, max(SIZES)), np.float32)
        self.source_seen = np.full((n_sources, max(SIZES)), _SOURCE_WEIGHT, np.float32)
        for source, prior in enumerate(PRIORS):
            self.source_hits[source, : len(prior)] = np.array(prior) * _SOURCE_WEIGHT
        agreeing = np.array([bin(members).count("1") for members in range(1 << n_sources)])
        start = np.array(_AGREEMENT)[agreeing]
        self.weights = np.repeat(start[:, None], n_sources, axis=1).astype(np.float32)
        # Each source moves the odds away from those of any guess; without a bias they would be added anew.
        self.bias = (np.log(_ANY_GUESS / (1 - _ANY_GUESS)) * (1 - agreeing * start)).astype(np.float32)
        self._rates = np.zeros(N_KINDS, np.float32)
        self.rates = self._rates.data
        self._steps = 0
        self.refresh()

    @property
    def nbytes(self) -> int:
        """Resident size of what was learned."""
        learned = (self.hits, self.seen, self.source_hits, self.source_seen, self.weights, self.bias)
        return sum(array.nbytes for array in learned) + self._rates.nbytes

    def learn(self, kinds: NDArray[np.intp], right: NDArray[np.bool_]) -> None:
        """Label guesses (n,): the kind of each, and whether it was the token that was emitted."""
        if not len(kinds):
            return
        np.add.at(self.seen, kinds, 1)
        np.add.at(self.hits, kinds, right)
        levels = self._levels[:, kinds].astype(np.intp)
        rows = np.arange(len(STRIDES))[:, None]
        np.add.at(self.source_seen, (rows, levels), 1)
        np.add.at(self.source_hits, (rows, levels), right)
        stretched = self._stretched()[rows, levels] * (levels > 0)
        which = self._set[kinds]
        prior = _logistic((self.weights[which].T * stretched).sum(axis=0) + self.bias[which])
        error = _RATE * (right - prior)
        np.add.at(self.weights, which, (error * stretched).T)
        np.add.at(self.bias, which, error)
        self._rates[kinds] = (self.hits[kinds] + _KIND_WEIGHT * prior) / (self.seen[kinds] + _KIND_WEIGHT)
        self._steps += 1
        if self._steps % _REFRESH_EVERY == 0:
            self.refresh()

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
        """Work out the rates of all kinds anew, those not met lately included."""
        stretched = self._stretched()
        mixed = self.bias[self._set]
        for source in range(len(STRIDES)):
            levels = self._levels[source]
            mixed = mixed + self.weights[self._set, source] * (stretched[source][levels] * (levels > 0))
        self._rates[:] = (self.hits + _KIND_WEIGHT * _logistic(mixed)) / (self.seen + _KIND_WEIGHT)
        for hits, seen in ((self.hits, self.seen), (self.source_hits, self.source_seen)):
            old = seen > _FORGET_AT
            hits[old] /= 2
            seen[old] /= 2

    def _stretched(self) -> NDArray[np.float32]:
        rate = np.clip(self.source_hits / self.source_seen, 0.001, 0.999)
        stretched: NDArray[np.float32] = np.log(rate / (1 - rate), dtype=np.float32)
        return stretched


def _logistic(x: NDArray[np.float32]) -> NDArray[np.float32]:
    share: NDArray[np.float32] = np.reciprocal(1 + np.exp(-x), dtype=np.float32)
    return share
