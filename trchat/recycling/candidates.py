"""Recycled candidates in bounded memory: rows keyed by the last one, two or three tokens."""

from array import array

import numpy as np
from numpy.typing import NDArray

WAYS = 4
"""Rows that may share a bucket; the one learned longest ago makes room for a new one."""

_MASK = (1 << 64) - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_FINAL = 0xD6E8FEB86659FD93
_STEPS_PER_HALVING = 16
_FEW = 10  # rows, up to which plain Python is faster


def quantise(log_probabilities: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Natural log-probabilities to 8 bits, logarithmically: 255 = certain, 1 = 2**-15.9; 0 means empty."""
    steps = log_probabilities * (_STEPS_PER_HALVING / np.log(2.0)) + 255.5
    clipped: NDArray[np.uint32] = np.clip(steps, 1, 255).astype(np.uint32)
    return clipped


def probability(step: int) -> float:
    """The probability that an 8-bit step stands for."""
    return float(2.0 ** ((step - 255) / _STEPS_PER_HALVING))


def pack(tokens: NDArray[np.int32], log_probabilities: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Candidates as stored: ``token << 8 | probability step``; token ids are below 2**24."""
    return (tokens.astype(np.uint32) << np.uint32(8)) | quantise(log_probabilities)


class CandidateTable:
    """A set-associative hash table from the last ``order`` tokens to ``k`` packed candidates, best first.

    Keys are hashed to 32 bits beside the bucket: two contexts that collide share a row, which can only cost
    a guess, never change the text.

    Attributes:
        tags: uint32, shape (rows,); 0 = free.
        stamps: uint32, shape (rows,); the clock when the row was last learned.
        packed: uint32, shape (rows, k); 0 = no candidate.
    """

    def __init__(self, order: int, rows: int, k: int) -> None:
        """``rows`` must be a power of two, at least 2 * WAYS."""
        if rows & (rows - 1) or rows < 2 * WAYS:
            raise ValueError(f"rows must be a power of two from {2 * WAYS}, not {rows}")
        self.order = order
        self.k = k
        self._shift = 64 - (rows // WAYS).bit_length() + 1
        self.tags = np.zeros(rows, np.uint32)
        self.stamps = np.zeros(rows, np.uint32)
        self.packed = np.zeros((rows, k), np.uint32)
        # Plain integers come out of a memoryview several times faster than out of an array.
        self._tag_view = self.tags.data
        self._stamp_view = self.stamps.data
        self._packed_view = self.packed.reshape(-1).data

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return self.tags.nbytes + self.stamps.nbytes + self.packed.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use."""
        return int(np.count_nonzero(self.tags))

    def find(self, mixed: int) -> list[int]:
        """Packed candidates of the context with this ``mix``; empty if unknown."""
        mixed = ((mixed & _MASK) * _FINAL) & _MASK
        tag = (mixed & 0xFFFFFFFF) or 1
        slot = (mixed >> self._shift) * WAYS
        tags = self._tag_view
        for place in range(slot, slot + WAYS):
            if tags[place] == tag:
                start = place * self.k
                return self._packed_view[start : start + self.k].tolist()
        return []

    def learn(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        """Overwrite the rows of ``contexts`` (n, order; last token first) with ``packed`` (n, k).

        Of a context that occurs twice the later row counts. A new row takes a free place in its bucket, or
        that of the row learned longest ago.
        """
        if len(contexts) <= _FEW:
            self._learn_few(contexts.tolist(), packed.tolist(), clock)
        else:
            self._learn_many(contexts, packed, clock)

    def _learn_few(self, contexts: list[list[int]], packed: list[list[int]], clock: int) -> None:
        # For a handful of rows plain integers are faster than arrays: numpy's price is per call.
        tags, stamps = self._tag_view, self._stamp_view
        for context, row in zip(contexts, packed, strict=True):
            mixed = 0
            for token, factor in zip(context, _FACTORS, strict=False):
                mixed ^= (token + 1) * factor
            mixed = ((mixed & _MASK) * _FINAL) & _MASK
            tag = (mixed & 0xFFFFFFFF) or 1
            first = (mixed >> self._shift) * WAYS
            slot, age = first, 1 << 40
            for place in range(first, first + WAYS):
                there = tags[place]
                if there == tag:
                    slot = place
                    break
                if (stamp := stamps[place] if there else -1) < age:
                    slot, age = place, stamp
            tags[slot] = tag
            stamps[slot] = clock
            self._packed_view[slot * self.k : (slot + 1) * self.k] = array("I", row)

    def _learn_many(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        mixed = np.zeros(len(contexts), np.uint64)
        for column, factor in zip(contexts.T, _FACTORS, strict=False):
            mixed ^= (column.astype(np.uint64) + np.uint64(1)) * np.uint64(factor)
        mixed *= np.uint64(_FINAL)
        tags = mixed.astype(np.uint32)
        tags[tags == 0] = 1
        places = (mixed >> np.uint64(self._shift)).astype(np.intp) * WAYS + np.arange(WAYS)[:, None]
        there = self.tags[places]
        same = there == tags
        age = np.where(there == 0, -1, self.stamps[places].astype(np.int64))
        way = np.where(same.any(axis=0), same.argmax(axis=0), age.argmin(axis=0))
        slots = places[way, np.arange(len(contexts))]
        # numpy leaves open which of several writes to one place stays, so the last one is picked here.
        backwards = slots[::-1]
        slots, first = np.unique(backwards, return_index=True)
        chosen = len(backwards) - 1 - first
        self.tags[slots] = tags[chosen]
        self.stamps[slots] = clock
        self.packed[slots] = packed[chosen]


def mix1(last: int) -> int:
    """Key of a context of one token, for CandidateTable.find."""
    return (last + 1) * _FACTORS[0]


def mix2(last: int, second: int) -> int:
    """Key of the last token and the one before it."""
    return ((last + 1) * _FACTORS[0]) ^ ((second + 1) * _FACTORS[1])


def mix3(last: int, second: int, third: int) -> int:
    """Key of the last three tokens."""
    return ((last + 1) * _FACTORS[0]) ^ ((second + 1) * _FACTORS[1]) ^ ((third + 1) * _FACTORS[2])
