"""Recycled candidates in bounded memory: rows keyed by some of the last tokens."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WAYS = 4
"""Rows that may share a bucket; the one learned longest ago makes room for a new one."""

CONTEXT = 3
"""Tokens back that a row's key may look."""

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
    """The probability that an 8-bit step stands for; 0 for 0."""
    return float(2.0 ** ((step - 255) / _STEPS_PER_HALVING)) if step else 0.0


def pack(tokens: NDArray[np.int32], log_probabilities: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Candidates as stored: ``token << 8 | probability step``; token ids are below 2**24."""
    return (tokens.astype(np.uint32) << np.uint32(8)) | quantise(log_probabilities)


_PROBABILITY = [probability(step) for step in range(256)]
_PROBABILITIES = np.array(_PROBABILITY, np.float32)
_FINE = 1 << 14
# Steps by probability, so that mixing a few rows needs no logarithm.
_STEPS = quantise(np.log(np.maximum(np.arange(_FINE + 1), 0.5) / _FINE).astype(np.float32))
_STEP: list[int] = _STEPS.tolist()


class CandidateTable:
    """A set-associative hash table from contexts to ``k`` packed candidates, best first.

    A context is some of the last tokens: ``back`` says which, 1 = the last one. A row that is learned again
    is mixed with what it held: one context is followed by different things at different places, and the
    mean of a few distributions foretells the next one better than the last of them alone.

    Keys are hashed to 32 bits beside the bucket: two contexts that collide share a row, which can only cost
    a guess, never change the text.

    Attributes:
        fresh: weight of a new row; 1 forgets what the row held.
        tags: uint32, shape (rows,); 0 = free.
        stamps: uint32, shape (rows,); the clock when the row was last learned.
        packed: uint32, shape (rows, k); 0 = no candidate.
    """

    def __init__(self, name: str, back: Sequence[int], rows: int, k: int, fresh: float = 1.0) -> None:
        """``rows`` must be a power of two, at least 2 * WAYS; ``fresh`` is the weight of a new row (0 to 1).

        ``name`` is what the rows are known by, wherever they are kept.
        """
        if rows & (rows - 1) or rows < 2 * WAYS:
            raise ValueError(f"rows must be a power of two from {2 * WAYS}, not {rows}")
        if not set(back) <= set(range(1, CONTEXT + 1)):
            raise ValueError(f"a key looks 1 to {CONTEXT} tokens back, not {list(back)}")
        self.name = name
        self.k = k
        self._columns = [number - 1 for number in back]
        self._factors = [_FACTORS[column] for column in self._columns]
        self.fresh = fresh
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

    def find(self, context: Sequence[int]) -> list[int]:
        """Packed candidates after ``context`` (the last CONTEXT tokens, last first); empty if unknown."""
        mixed = 0
        for column, factor in zip(self._columns, self._factors, strict=True):
            mixed ^= (context[column] + 1) * factor
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
        """Mix ``packed`` (n, at least k) into the rows of ``contexts`` (n, CONTEXT; last token first).

        Of a context that occurs twice the later row counts. A new row takes a free place in its bucket, or
        that of the row learned longest ago.
        """
        if len(contexts) <= _FEW:
            self._learn_few(contexts.tolist(), packed.tolist(), clock)
        else:
            self._learn_many(contexts, packed, clock)

    def _learn_few(self, contexts: list[list[int]], packed: list[list[int]], clock: int) -> None:
        # For a handful of rows plain integers are faster than arrays: numpy's price is per call.
        tags, stamps, k = self._tag_view, self._stamp_view, self.k
        for context, row in zip(contexts, packed, strict=True):
            mixed = 0
            for column, factor in zip(self._columns, self._factors, strict=True):
                mixed ^= (context[column] + 1) * factor
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
            start = slot * k
            if tags[slot] == tag and self.fresh < 1:
                row = self._mixed(self._packed_view[start : start + k].tolist(), row)
            tags[slot] = tag
            stamps[slot] = clock
            self._packed_view[start : start + k] = array("I", row[:k])

    def _mixed(self, old: list[int], new: list[int]) -> list[int]:
        fresh, shares = self.fresh, _PROBABILITY
        kept = 1 - fresh
        chances = {packed >> 8: kept * shares[packed & 255] for packed in old if packed}
        for packed in new:
            if packed:
                token = packed >> 8
                chances[token] = chances.get(token, 0.0) + fresh * shares[packed & 255]
        best = sorted(chances.items(), key=_by_chance)[: self.k]
        row = [token << 8 | _STEP[int(share * _FINE)] for token, share in best]
        return row + [0] * (self.k - len(row))

    def _learn_many(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        mixed = np.zeros(len(contexts), np.uint64)
        for column, factor in zip(self._columns, self._factors, strict=True):
            mixed ^= (contexts[:, column].astype(np.uint64) + np.uint64(1)) * np.uint64(factor)
        mixed *= np.uint64(_FINAL)
        # Sorted, which puts contexts of one bucket beside each other; of repeated ones the last is picked.
        mixed, first = np.unique(mixed[::-1], return_index=True)
        packed = packed[len(packed) - 1 - first]
        tags = mixed.astype(np.uint32)
        tags[tags == 0] = 1
        buckets = (mixed >> np.uint64(self._shift)).astype(np.intp)
        places = buckets * WAYS + np.arange(WAYS)[:, None]
        same = self.tags[places] == tags
        known = same.any(axis=0)
        slots = places[same.argmax(axis=0), np.arange(len(tags))]
        self.stamps[slots[known]] = clock
        rows = packed[:, : self.k].copy()
        if self.fresh < 1 and known.any():
            rows[known] = self._mixed_many(self.packed[slots[known]], packed[known])
        new = np.flatnonzero(~known)
        slots[new], fits = self._make_room(buckets[new], places[:, new])
        stays = known.copy()
        stays[new] = fits
        slots = slots[stays]
        self.tags[slots] = tags[stays]
        self.stamps[slots] = clock
        self.packed[slots] = rows[stays]

    def _make_room(
        self, buckets: NDArray[np.intp], places: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """A place for each new row, of which ``buckets`` (n,) is sorted and ``places`` is (WAYS, n).

        The second result says which rows get one: of more new rows than a bucket holds, some do not.
        """
        free = self.tags[places] == 0
        oldest_first = np.where(free, -1, self.stamps[places].astype(np.int64)).argsort(axis=0, kind="stable")
        each = np.arange(len(buckets))
        rank = each - np.searchsorted(buckets, buckets)
        return places[oldest_first[rank % WAYS, each], each], rank < WAYS

    def _mixed_many(self, old: NDArray[np.uint32], new: NDArray[np.uint32]) -> NDArray[np.uint32]:
        k = self.k
        candidates = np.concatenate([old, new], axis=1)
        tokens = candidates >> np.uint32(8)
        shares = _PROBABILITIES[candidates & np.uint32(255)]
        shares[:, :k] *= 1 - self.fresh
        shares[:, k:] *= self.fresh
        # A token of both rows counts once, in its old place, where it stays ahead of one as likely.
        again = (tokens[:, :k, None] == tokens[:, None, k:]) & (old != 0)[:, :, None]
        shares[:, :k] += (again * shares[:, None, k:]).sum(axis=2)
        shares[:, k:][again.any(axis=1)] = 0
        order = np.argsort(-shares, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(shares, order, axis=1)
        steps = _STEPS[(best * _FINE).astype(np.intp)]
        packed = np.take_along_axis(tokens, order, axis=1) << np.uint32(8) | steps
        packed[best == 0] = 0
        return packed


def _by_chance(candidate: tuple[int, float]) -> float:
    return -candidate[1]
