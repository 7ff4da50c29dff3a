"""Recycled candidates in bounded memory: rows keyed by some of the last tokens."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.packing import mixed_row, mixed_rows, runs
from trchat.recycling.table import MOST, WAYS, CandidateTable, TableShape

_MASK = (1 << 64) - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_FINAL = 0xD6E8FEB86659FD93
_FACTOR_COLUMN = np.array(_FACTORS, np.uint64)[:, None]
_COUNT = 1 << 32  # more than any stamp
_FEW = 32  # rows, up to which plain Python is faster


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

    The tables lie in one piece of memory, so that a step is learned in one go: numpy's price is per call.
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
        self._most = max(shape.k for shape in shapes)
        # By table: tokens of its key, bits to shift a hash to a bucket, first bucket, first cell, k, weight.
        self._columns = [[number - 1 for number in shape.back] for shape in shapes]
        self._shifts = np.array([64 - (shape.rows // WAYS).bit_length() + 1 for shape in shapes], np.uint64)
        self._buckets = np.array(rows[:-1], np.uint64) // np.uint64(WAYS)
        self._starts = np.array(cells[:-1]) - np.array(rows[:-1]) * np.array([shape.k for shape in shapes])
        self._k = np.array([shape.k for shape in shapes])
        self._fresh = np.array([shape.fresh for shape in shapes], np.float32)
        # The same for lookups, one at a time: plain integers come out of lists and memoryviews several
        # times faster than out of arrays.
        self._tag_view, self._stamp_view = self._tags.data, self._stamps.data
        self._count_view, self._packed_view = self._counts.data, self._packed.data
        self._fresh_view = self._fresh.data
        self._finders = [
            (
                sum(1 << column for column in columns),
                int(shift),
                int(first),
                int(start),
                shape.k,
            )
            for columns, shift, first, start, shape in zip(
                self._columns, self._shifts, self._buckets, self._starts, self.shapes, strict=True
            )
        ]

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
        for which, shift, bucket, start, k in self._finders:
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
        if len(contexts) * len(self.shapes) <= _FEW:
            self._learn_few(contexts, packed, clock)
        else:
            self._learn_many(contexts, packed, clock)

    def _learn_few(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        tags, stamps, counts, cells = self._tag_view, self._stamp_view, self._count_view, self._packed_view
        mixes, rows = [_mixes(context) for context in contexts.tolist()], packed.tolist()
        for number, (which, shift, bucket, start, k) in enumerate(self._finders):
            old_share = 1 - self._fresh_view[number]
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
                if counts[place] < MOST:
                    counts[place] += 1
                cell = start + place * k
                row = mixed_row(cells[cell : cell + k].tolist(), lessons, old_share ** len(lessons), k)
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

    def _learn_many(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int) -> None:
        n = len(contexts)
        # Rows of one key, sorted to be neighbours, are a group.
        keys = self._keys(contexts)
        order = keys.argsort(kind="stable")
        begin, group = runs(keys[order])
        keys = keys[order[begin]]
        table = order[begin] // n
        slots, known = self._places(keys, clock)
        cells = (self._starts[table] + slots * self._k[table])[:, None] + np.arange(self._most)
        inside = np.arange(self._most) < self._k[table][:, None]
        old = self._packed[np.where(inside, cells, 0)] * (inside & known[:, None])

        size = np.bincount(group)
        kept = np.where(known, (1 - self._fresh[table]) ** size, 0)
        rows = mixed_rows(old, packed[order % n], group, kept, ((1 - kept) / size)[group])
        self._tags[slots] = keys.astype(np.uint32)
        self._stamps[slots] = clock
        counts = self._counts[slots]
        counts += counts < MOST
        self._counts[slots] = counts
        self._packed[cells[inside]] = rows[inside]

    def _keys(self, contexts: NDArray[np.int32]) -> NDArray[np.uint64]:
        """``bucket << 32 | tag`` of each of ``contexts`` in each table, one table after the other."""
        products = (contexts.T.astype(np.uint64) + np.uint64(1)) * _FACTOR_COLUMN
        hashes = np.empty((len(self.shapes), len(contexts)), np.uint64)
        for row, columns in enumerate(self._columns):
            hashes[row] = products[columns[0]]
            for column in columns[1:]:
                hashes[row] ^= products[column]
        hashes *= np.uint64(_FINAL)
        tags = hashes & np.uint64(0xFFFFFFFF)
        tags[tags == 0] = 1
        buckets = (hashes >> self._shifts[:, None]) + self._buckets[:, None]
        return (buckets << np.uint64(32) | tags).reshape(-1)

    def _places(self, keys: NDArray[np.uint64], clock: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where the row of each of ``keys`` (sorted, no two the same) is and True, or where it may go."""
        bucket = (keys >> np.uint64(32)).astype(np.intp)
        first = bucket * WAYS
        places = first[:, None] + np.arange(WAYS)
        same = self._tags[places] == keys.astype(np.uint32)[:, None]
        known = same.any(axis=1)
        slots = first + same.argmax(axis=1)
        self._stamps[slots[known]] = clock  # so that none of them has to make room for a new one
        (new,) = (~known).nonzero()
        if len(new):
            places, bucket, numbers = places[new], bucket[new], np.arange(len(new))
            stamps = self._stamps[places]
            ranks = self._counts[places] * float(_COUNT) + stamps
            ranks[stamps == clock] = np.inf
            begin, run = runs(bucket)
            nth = (numbers - begin[run]) % WAYS
            slots[new] = room = places[numbers, ranks.argsort(axis=1, kind="stable")[numbers, nth]]
            self._counts[room] = 0
        return slots, known


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
