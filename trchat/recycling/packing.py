"""Candidates as they are kept: a token and its probability in one number, and rows of them mixed."""

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS_PER_HALVING = 16
_UPPER = np.uint64(0xFFFFFFFF << 32)


def quantise(log_probabilities: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Natural log-probabilities to 8 bits, logarithmically: 255 = certain, 1 = 2**-15.9; 0 means empty."""
    steps = log_probabilities * (_STEPS_PER_HALVING / np.log(2.0)) + 255.5
    clipped: NDArray[np.uint32] = np.clip(steps, 1, 255).astype(np.uint32)
    return clipped


def probability(step: int) -> float:
    """The probability that an 8-bit step stands for; 0 for 0."""
    return float(2.0 ** ((step - 255) / _STEPS_PER_HALVING)) if step else 0.0


def pack(tokens: NDArray[np.int32], log_probabilities: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Candidates as stored: ``token << 8 | probability step``; token ids are below 2**24."""
    return (tokens.astype(np.uint32) << np.uint32(8)) | quantise(log_probabilities)


_PROBABILITY = [probability(step) for step in range(256)]
_PROBABILITIES = np.array(_PROBABILITY, np.float32)
_LEAST = probability(1)


def mixed_row(old: Sequence[int], new: Sequence[Sequence[int]], kept: float, k: int) -> list[int]:
    """The ``k`` best candidates of the row ``old``, of weight ``kept``, and ``new`` ones that share the rest.

    As ``mixed_rows``, for one row at a time: for a handful plain Python is faster, numpy's price being per
    call. Filled up with 0.
    """
    chances: dict[int, float] = {}
    if kept:
        for value in old:
            if value:
                chances[value >> 8] = kept * _PROBABILITY[value & 255]
    weight = (1 - kept) / len(new)
    for row in new:
        for value in row:
            if value:
                token = value >> 8
                chances[token] = chances.get(token, 0.0) + weight * _PROBABILITY[value & 255]
    best = sorted(chances.items(), key=_falling)[:k]
    return [token << 8 | _step(chance) for token, chance in best] + [0] * (k - len(best))


def _falling(candidate: tuple[int, float]) -> float:
    return -candidate[1]


def _step(chance: float) -> int:
    return min(max(int(log2(chance) * _STEPS_PER_HALVING + 255.5), 1), 255) if chance > _LEAST else 1


def runs(ordered: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where runs of equal values begin, and the number of the run that each value is in."""
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return np.flatnonzero(first), first.cumsum() - 1


def mixed_rows(
    old: NDArray[np.uint32],
    new: NDArray[np.uint32],
    group: NDArray[np.intp],
    kept: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.uint32]:
    """The best candidates of each group: ``old`` (groups, k) and the ``new`` (n, k) of that ``group`` (n,).

    ``kept`` (groups,) are the weights of the old rows, ``weights`` (n,) those of the new ones. The chances
    of a token add up.
    """
    n_groups, k = old.shape
    candidates = np.concatenate([old, new]).reshape(-1)
    chances = _PROBABILITIES[candidates & np.uint32(255)] * np.repeat(np.concatenate([kept, weights]), k)
    groups = np.repeat(np.concatenate([np.arange(n_groups), group]).astype(np.uint64), k) << np.uint64(32)
    entries = groups | (candidates >> np.uint32(8))
    order = entries.argsort(kind="stable")
    begin, _ = runs(entries[order])
    entries = entries[order[begin]]
    chances = np.add.reduceat(chances[order], begin).astype(np.float32)
    # Sorted once more, by group and falling chance: as bits, floats above 0 are in order.
    order = ((entries & _UPPER) | ~chances.view(np.uint32)).argsort(kind="stable")
    entries, chances = entries[order], chances[order]
    groups = (entries >> np.uint64(32)).astype(np.intp)
    rank = np.arange(len(groups)) - np.searchsorted(groups, np.arange(n_groups))[groups]
    best = (rank < k) & (chances > 0)
    groups, rank = groups[best], rank[best]
    rows = np.zeros((n_groups, k), np.uint32)
    rows[groups, rank] = entries[best].astype(np.uint32) << np.uint32(8) | quantise(np.log(chances[best]))
    return rows
