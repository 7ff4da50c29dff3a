"""Tables of recycled candidates by the last tokens: how each is kept, found, mixed and evicted."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray

from trchat.recycling import kernel
from trchat.recycling.kernel import Kernel, address, freed_with

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


WAYS = 4
"""Rows that may share a bucket; the one learned least often makes room for a new one."""

MOST_LESSONS = 255
"""How often a row can have been learned: more is not counted."""

CONTEXT = 3
"""Tokens back that a row's key may look."""


@dataclass(frozen=True, slots=True)
class TableShape:
    """What a table's rows are keyed by and how many it holds.

    Attributes:
        name: what the rows are known by, wherever they are kept.
        back: the tokens of the key, 1 = the last one, 2 = the one before, ...
        rows: a power of two, at least 2 * WAYS.
        k: candidates in a row.
        fresh: weight of a row that is learned again against what it held, 0 to 1; 1 forgets that.
    """

    name: str
    back: tuple[int, ...]
    rows: int
    k: int
    fresh: float = 1.0

    def __post_init__(self) -> None:
        if self.rows & (self.rows - 1) or self.rows < 2 * WAYS:
            raise ValueError(f"rows must be a power of two from {2 * WAYS}, not {self.rows}")
        if not set(self.back) <= set(range(1, CONTEXT + 1)):
            raise ValueError(f"a key looks 1 to {CONTEXT} tokens back, not {list(self.back)}")


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """The part of the memory that belongs to one table.

    Attributes:
        tags: uint32, shape (rows,); 0 = free.
        stamps: uint32, shape (rows,); the clock when the row was last learned, 0 = free.
        counts: uint8, shape (rows,); in how many lessons it was learned (steps, or several noted together),
            MOST_LESSONS at most, 0 = free.
        packed: uint32, shape (rows, k); 0 = no candidate.
    """

    shape: TableShape
    tags: NDArray[np.uint32]
    stamps: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    packed: NDArray[np.uint32]

    @property
    def name(self) -> str:
        """What the rows are known by."""
        return self.shape.name

    @property
    def rows_learned(self) -> int:
        """Rows in use."""
        return int(np.count_nonzero(self.tags))


_MASK = (1 << 64) - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_FINAL = 0xD6E8FEB86659FD93
_COUNT = 1 << 32  # more than any stamp


class CandidateTables:
    """Set-associative hash tables from contexts to packed candidates, best first.

    A context is the last CONTEXT tokens; each table's keys are some of them. A row that is learned again is
    mixed with what it held, and so are rows that one step brings for the same key: one context is followed
    by different things at different places, and the mean of a few distributions foretells the next one
    better than the last of them alone.

    Keys are hashed to 32 bits beside the bucket: two contexts that collide share a row, which can only cost
    a guess, never change the text.

    What is learned often will be needed again: a new row takes the place of the one learned in the fewest
    lessons, of several that of the one learned longest ago, and not of one that the same lesson has brought
    while there is another.

    Attributes:
        handle: of the same tables in the compiled kernel; None where there is none.
    """

    def __init__(self, shapes: Sequence[TableShape]) -> None:
        self.shapes = tuple(shapes)
        rows = [0, *np.cumsum([shape.rows for shape in shapes]).tolist()]
        cells = [0, *np.cumsum([shape.rows * shape.k for shape in shapes]).tolist()]
        self._tags = np.zeros(rows[-1], np.uint32)
        self._stamps = np.zeros(rows[-1], np.uint32)
        self._counts = np.zeros(rows[-1], np.uint8)
        self._packed = np.zeros(cells[-1], np.uint32)
        self.tables = tuple(
            CandidateTable(
                shape,
                self._tags[rows[number] : rows[number + 1]],
                self._stamps[rows[number] : rows[number + 1]],
                self._counts[rows[number] : rows[number + 1]],
                self._packed[cells[number] : cells[number + 1]].reshape(shape.rows, shape.k),
            )
            for number, shape in enumerate(shapes)
        )
        # Plain integers come out of lists and memoryviews several times faster than out of arrays.
        self._tag_view, self._stamp_view = self._tags.data, self._stamps.data
        self._count_view, self._packed_view = self._counts.data, self._packed.data
        # By table: the tokens that are hashed, bits to shift a hash to a bucket, the first bucket, the cell
        # where a row at place 0 would begin, candidates in a row, what a row learned again keeps.
        self._finders = [
            (
                sum(1 << number - 1 for number in shape.back),
                64 - (shape.rows // WAYS).bit_length() + 1,
                first // WAYS,
                cell - first * shape.k,
                shape.k,
                1 - shape.fresh,
            )
            for first, cell, shape in zip(rows[:-1], cells[:-1], shapes, strict=True)
        ]
        self.handle = None if kernel.KERNEL is None else self._compiled(kernel.KERNEL)

    def _compiled(self, kernel: Kernel) -> int:
        """The same memory as the kernel sees it."""
        memory = (self._tags, self._stamps, self._counts, self._packed)
        handle: int = kernel.tables_new(*(address(array) for array in memory))
        for finder in self._finders:
            kernel.tables_add(handle, *finder)
        return freed_with(self, kernel.tables_free, handle)

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return self._tags.nbytes + self._stamps.nbytes + self._counts.nbytes + self._packed.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use over all tables."""
        return int(np.count_nonzero(self._tags))

    def find(self, context: Sequence[int]) -> list[Sequence[int]]:
        """For each table the packed candidates after ``context`` (the last CONTEXT tokens, last first).

        Empty where the table knows none.
        """
        packed, mixes = self._packed_view, _mixes(context)
        found: list[Sequence[int]] = []
        for which, shift, bucket, start, k, _ in self._finders:
            place = self._find(*_bucket_and_tag(mixes[which], shift, bucket))
            if place is None:
                found.append(())
            else:
                cell = start + place * k
                found.append(packed[cell : cell + k].tolist())
        return found

    def learn(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        """Mix ``packed`` (n, k of the longest rows) into the rows of ``contexts`` (n, CONTEXT; last first).

        ``clock`` is at least 1. Rows of one key count the same.
        """
        if kernel.KERNEL is not None and self.handle is not None:
            contexts, packed = np.ascontiguousarray(contexts, np.int32), np.ascontiguousarray(packed)
            n, length = packed.shape
            kernel.KERNEL.tables_learn(self.handle, address(contexts), address(packed), n, length, clock)
        else:
            self._learn(contexts, packed, clock)

    def _learn(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        tags, stamps, counts, cells = self._tag_view, self._stamp_view, self._count_view, self._packed_view
        mixes, rows = [_mixes(context) for context in contexts.tolist()], packed.tolist()
        for which, shift, bucket, start, k, kept in self._finders:
            groups: dict[tuple[int, int], list[list[int]]] = {}
            for mixed, row in zip(mixes, rows, strict=True):
                groups.setdefault(_bucket_and_tag(mixed[which], shift, bucket), []).append(row)
            new = []
            for (first, tag), lessons in groups.items():
                place = self._find(first, tag)
                if place is None:
                    new.append((first, tag, lessons))
                    continue
                stamps[place] = clock
                if counts[place] < MOST_LESSONS:
                    counts[place] += 1
                cell = start + place * k
                row = mixed_row(cells[cell : cell + k].tolist(), lessons, kept ** len(lessons), k)
                cells[cell : cell + k] = array("I", row)
            for first, tag, lessons in new:
                place = self._room(first, clock)
                tags[place], stamps[place], counts[place] = tag, clock, 1
                cell = start + place * k
                cells[cell : cell + k] = array("I", mixed_row((), lessons, 0.0, k))

    def _find(self, first: int, tag: int) -> int | None:
        """Where in the bucket that begins at ``first`` the row of ``tag`` is."""
        tags = self._tag_view
        for place in range(first, first + WAYS):
            if tags[place] == tag:
                return place
        return None

    def _room(self, first: int, clock: int) -> int:
        """Where in the bucket that begins at ``first`` a new row may go."""
        counts, stamps = self._count_view, self._stamp_view
        chosen, least = first, _COUNT * _COUNT
        for place in range(first, first + WAYS):
            stamp = stamps[place]
            if stamp != clock and (rank := counts[place] * _COUNT + stamp) < least:
                chosen, least = place, rank
        return chosen


def _bucket_and_tag(mixed: int, shift: int, bucket: int) -> tuple[int, int]:
    """The first place of a key's bucket, and its tag; the table's buckets begin at ``bucket``."""
    key = ((mixed & _MASK) * _FINAL) & _MASK
    return (bucket + (key >> shift)) * WAYS, (key & 0xFFFFFFFF) or 1


def _mixes(context: Sequence[int]) -> tuple[int, ...]:
    """What to hash for each set of the tokens of ``context``, the set being a bit mask, 1 = the last one."""
    one, two, three = context
    first, second, third = (one + 1) * _FACTORS[0], (two + 1) * _FACTORS[1], (three + 1) * _FACTORS[2]
    both, gap = first ^ second, second ^ third
    return 0, first, second, both, third, first ^ third, gap, first ^ gap
