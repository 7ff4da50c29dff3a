"""Candidates as they are kept: a token and its probability in one number, and rows of them mixed."""

from collections.abc import Sequence
from math import log2

import numpy as np
from numpy.typing import NDArray

_STEPS_PER_HALVING = 16


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
_LEAST = probability(1)


def mixed_row(old: Sequence[int], new: Sequence[Sequence[int]], kept: float, k: int) -> list[int]:
    """The ``k`` best candidates of the row ``old``, of weight ``kept``, and ``new`` ones that share the rest.

    The chances of a token add up; of several that are equal the first one met leads. Filled up with 0.
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
