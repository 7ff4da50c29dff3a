"""How often guesses come true: their kinds, by the sources that agree on them, and the hit rate of each kind.

A kind is one number, the sum of a level per source times that source's stride, so guesses on which sources
agree are a kind of their own. Level 0 of every source means that it has nothing to say about the token.
"""

from bisect import bisect_right
from functools import cache
from math import exp, prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trchat.recycling import kernel
from trchat.recycling.candidates import probability
from trchat.recycling.kernel import Kernel, address, freed_with

SOURCES = ("1-token rows", "2-token rows", "3-token rows", "gap rows", "suffix", "recent", "earlier texts")
ROWS1, ROWS2, ROWS3, GAP, SUFFIX, RECENT, EARLIER = range(len(SOURCES))
FILLER = "filler"
"""What a token is called that no source proposes (kind 0): it is drafted to fill a width up."""

_ROW_EDGES = (0.02, 0.08, 0.25, 0.55, 0.85)
_LENGTH_EDGES = (2, 3, 4, 6, 10, 17)
_LENGTHS = 1 + len(_LENGTH_EDGES)
_EARLIER_EDGES = (4, 6, 10, 17, 32)
RECENT_EDGES = (0.1, 0.3, 0.8)
"""Weights from which a token that was lately considered is of the next level."""

ALONE, UNITED, DIVIDED, OPPOSED = range(4)
"""What other places that the text's end matches say of the best one's successor: there is none, all agree,
some agree, none agrees."""
_OTHER_SHORT = 1 + 4 * _LENGTHS
_PASSED_OVER = _OTHER_SHORT + 2

_ROW_PRIORS = (0.01, 0.035, 0.1, 0.3, 0.55, 0.75)
_LENGTH_PRIORS = (
    *(0.2, 0.45, 0.6, 0.65, 0.75, 0.85, 0.92),
    *(0.4, 0.55, 0.65, 0.75, 0.8, 0.85, 0.95),
    *(0.15, 0.35, 0.45, 0.5, 0.65, 0.8, 0.88),
    *(0.12, 0.28, 0.43, 0.5, 0.57, 0.62, 0.8),
)
PRIORS = (
    *[(0.0, *_ROW_PRIORS)] * 4,
    (0.0, *_LENGTH_PRIORS, 0.12, 0.17, 0.04, 0.02, 0.01),
    (0.0, 0.1, 0.12, 0.14, 0.1),
    (0.0, 0.2, 0.3, 0.45, 0.65, 0.8, 0.95),
)
"""Hit rates to begin with, per source and level, about as the demo model's answers to the built-in questions
left them; a model's own take over within an answer."""

SIZES = tuple(len(prior) for prior in PRIORS)
STRIDES = tuple(prod(SIZES[:source]) for source in range(len(SIZES)))


@cache
def row_levels() -> tuple[int, ...]:
    """Level of a row's candidate by its 8-bit probability step (256 entries): 1 to 6."""
    return (0, *(1 + sum(probability(step) >= edge for edge in _ROW_EDGES) for step in range(1, 256)))


def suffix_level(length: int, others: int) -> int:
    """Level of what follows the longest match, by its length in tokens and what ``others`` say."""
    return 1 + others * _LENGTHS + sum(length >= edge for edge in _LENGTH_EDGES)


def other_suffix_level(length: int) -> int:
    """Level of a match that goes on differently from the longest one."""
    return _OTHER_SHORT + (length > 3)


def passed_over_level(length: int) -> int:
    """Level of a guess that the longest match speaks against, by that match's length."""
    return _PASSED_OVER + (length >= 3) + (length >= 6)


def earlier_level(length: int) -> int:
    """Level of what an earlier text went on with, by the length of the match in tokens."""
    return 1 + bisect_right(_EARLIER_EDGES, length)


def recent_level(weight: float) -> int:
    """Level of a token that the model lately considered and did not say, by the weight it gathered."""
    return 1 + bisect_right(RECENT_EDGES, weight)


def levels(kind: int) -> list[int]:
    """The level of each source."""
    return [kind // stride % size for stride, size in zip(STRIDES, SIZES, strict=True)]


def layout() -> str:
    """All that gives a kind its meaning; counts that were kept under another layout mean something else."""
    facts = {name: value for name, value in globals().items() if isinstance(value, (int, float, tuple))}
    return repr(sorted(facts.items()))


@cache
def main_source(kind: int) -> str:
    """The name of the surest of a kind's sources: that with the highest hit rate to begin with."""
    if not kind:
        return FILLER
    found = levels(kind)
    surest = max(range(len(found)), key=lambda source: (PRIORS[source][found[source]], source))
    return SOURCES[surest]


SURE = 30.0
"""Odds beyond this make no difference, and in the end overflow."""

_MOST_KINDS = 4096  # few of all that can be are ever met


def levels_and_sets(kinds: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of each of ``kinds`` (n,): the sources' levels (sources, n), and which say something, as bits (n,)."""
    levels = kinds // np.array(STRIDES)[:, None] % np.array(SIZES)[:, None]
    return levels, ((levels > 0) << np.arange(len(SIZES))[:, None]).sum(axis=0)


class Rates(dict[int, float]):
    """Hit rates by kind: those that were asked for once, which are kept up to date in one go.

    That is done while drafting learns. Worked out again one by one, at the next draft, they took a fifth of
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
    """Hit rates by kind of guess (see trchat.recycling.calibration).

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
        # Each source moves the odds away from those of any guess; without a bias they would be added again.
        base = _SHARED_EVIDENCE * np.log(_ANY_GUESS / (1 - _ANY_GUESS))
        self.set_bias = (base * (1 - agreeing * start)).astype(np.float32)
        self._rates = Rates()
        self._stale = True  # the above, while the kernel has its own
        self._stretched = np.zeros_like(self.source_hits)
        self._version = np.zeros(1, np.int64)
        self.handle = None if kernel.KERNEL is None else self._compiled(kernel.KERNEL)
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
        if kernel.KERNEL is not None and self.handle is not None:
            kinds, right = np.ascontiguousarray(kinds, np.int32), np.ascontiguousarray(right, np.uint8)
            kernel.KERNEL.rates_learn(self.handle, address(kinds), address(right), len(kinds))
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
