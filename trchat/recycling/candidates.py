"""Recycled candidates in bounded memory: rows keyed by some of the last tokens."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.packing import mixed_row, mixed_rows, runs

WAYS = 4
"""Rows that may share a bucket; the one learned longest ago makes room for a new one."""

CONTEXT = 3
"""Tokens back that a row's key may look."""

_MASK = (1 << 64) - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_FINAL = 0xD6E8FEB86659FD93
_FACTOR_COLUMN = np.array(_FACTORS, np.uint64)[:, None]
_FEW = 32  # rows, up to which plain Python is faster


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
        packed: uint32, shape (rows, k); 0 = no candidate.
    """

    shape: TableShape
    tags: NDArray[np.uint32]
    stamps: NDArray[np.uint32]
    packed: NDArray[np.uint32]

    @property
    def name(self) -> str:
        """What the rows are known by."""
        return self.shape.name

    @property
    def rows_learned(self) -> int:
        """Rows in use."""
        return int(np.count_nonzero(self.tags))


class CandidateTables:
    """Set-associative hash tables from contexts to packed candidates, best first.

    A context is the last CONTEXT tokens; each table's keys are some of them. A row that is learned again is
    mixed with what it held, and so are rows that one step brings for the same key: one context is followed
    by different things at different places, and the mean of a few distributions foretells the next one
    better than the last of them alone.

    Keys are hashed to 32 bits beside the bucket: two contexts that collide share a row, which can only cost
    a guess, never change the text.

    The tables lie in one piece of memory, so that a step is learned in one go: numpy's price is per call.
    """

    def __init__(self, shapes: Sequence[TableShape]) -> None:
        self.shapes = tuple(shapes)
        rows = [0, *np.cumsum([shape.rows for shape in shapes]).tolist()]
        cells = [0, *np.cumsum([shape.rows * shape.k for shape in shapes]).tolist()]
        self._tags = np.zeros(rows[-1], np.uint32)
        self._stamps = np.zeros(rows[-1], np.uint32)
        self._packed = np.zeros(cells[-1], np.uint32)
        self.tables = tuple(
            CandidateTable(
                shape,
                self._tags[rows[number] : rows[number + 1]],
                self._stamps[rows[number] : rows[number + 1]],
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
        self._packed_view = self._packed.data
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
        return self._tags.nbytes + self._stamps.nbytes + self._packed.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use over all tables."""
        return int(np.count_nonzero(self._tags))

    def find(self, context: Sequence[int]) -> list[Sequence[int]]:
        """For each table the packed candidates after ``context`` (the last CONTEXT tokens, last first).

        Empty where the table knows none.
        """
        tags, packed, mixes = self._tag_view, self._packed_view, _mixes(context)
        found: list[Sequence[int]] = []
        for which, shift, bucket, start, k in self._finders:
            first, tag = _bucket_and_tag(mixes[which], shift, bucket)
            for place in range(first, first + WAYS):
                if tags[place] == tag:
                    cell = start + place * k
                    found.append(packed[cell : cell + k].tolist())
                    break
            else:
                found.append(())
        return found

    def learn(
        self,
        contexts: NDArray[np.int32],
        packed: NDArray[np.uint32],
        clock: int,
        which: Sequence[int] | None = None,
    ) -> None:
        """Mix ``packed`` (n, k of the longest rows) into the rows of ``contexts`` (n, CONTEXT; last first).

        ``which`` names the tables by number (default: all), ``clock`` is at least 1. Rows of one key count
        the same. A new row takes a free place in its bucket, or that of the row learned longest ago.
        """
        numbers = range(len(self.shapes)) if which is None else which
        if len(contexts) * len(numbers) <= _FEW:
            self._learn_few(contexts, packed, clock, numbers)
        else:
            self._learn_many(contexts, packed, clock, np.array(numbers))

    def _learn_few(
        self, contexts: NDArray[np.int32], packed: NDArray[np.uint32], clock: int, numbers: Sequence[int]
    ) -> None:
        mixes, rows = [_mixes(context) for context in contexts.tolist()], packed.tolist()
        for number in numbers:
            which, shift, bucket, start, k = self._finders[number]
            groups: dict[tuple[int, int], list[list[int]]] = {}
            for mixed, row in zip(mixes, rows, strict=True):
                groups.setdefault(_bucket_and_tag(mixed[which], shift, bucket), []).append(row)
            for (first, tag), new in groups.items():
                place, known = self._place(first, tag)
                cell = start + place * k
                kept = (1 - float(self._fresh[number])) ** len(new) if known else 0.0
                old = self._packed_view[cell : cell + k].tolist()
                self._tag_view[place], self._stamp_view[place] = tag, clock
                self._packed_view[cell : cell + k] = array("I", mixed_row(old, new, kept, k))

    def _place(self, first: int, tag: int) -> tuple[int, bool]:
        """Where in the bucket that begins at ``first`` the row of ``tag`` is and True, or where it may go."""
        tags, stamps = self._tag_view, self._stamp_view
        for place in range(first, first + WAYS):
            if tags[place] == tag:
                return place, True
        return min(range(first, first + WAYS), key=stamps.__getitem__), False

    def _learn_many(
        self,
        contexts: NDArray[np.int32],
        packed: NDArray[np.uint32],
        clock: int,
        tables: NDArray[np.intp],
    ) -> None:
        n = len(contexts)
        # Rows of one key, sorted to be neighbours, are a group.
        keys = self._keys(contexts, tables)
        order = keys.argsort(kind="stable")
        begin, group = runs(keys[order])
        keys = keys[order[begin]]
        table = tables[order[begin] // n]
        slots, known = self._places(keys, clock)
        cells = (self._starts[table] + slots * self._k[table])[:, None] + np.arange(self._most)
        inside = np.arange(self._most) < self._k[table][:, None]
        old = self._packed[np.where(inside, cells, 0)] * (inside & known[:, None])

        size = np.diff(begin, append=len(order))
        kept = np.where(known, (1 - self._fresh[table]) ** size, 0)
        rows = mixed_rows(old, packed[order % n], group, kept, ((1 - kept) / size)[group])
        self._tags[slots] = keys.astype(np.uint32)
        self._stamps[slots] = clock
        self._packed[cells[inside]] = rows[inside]

    def _keys(self, contexts: NDArray[np.int32], tables: NDArray[np.intp]) -> NDArray[np.uint64]:
        """``bucket << 32 | tag`` of each of ``contexts`` in each of ``tables``, one table after the other."""
        products = (contexts.T.astype(np.uint64) + np.uint64(1)) * _FACTOR_COLUMN
        hashes = np.empty((len(tables), len(contexts)), np.uint64)
        for row, table in enumerate(tables.tolist()):
            columns = self._columns[table]
            hashes[row] = products[columns[0]]
            for column in columns[1:]:
                hashes[row] ^= products[column]
        hashes *= np.uint64(_FINAL)
        tags = hashes & np.uint64(0xFFFFFFFF)
        tags[tags == 0] = 1
        buckets = (hashes >> self._shifts[tables][:, None]) + self._buckets[tables][:, None]
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
        oldest_first = self._stamps[places].argsort(axis=1, kind="stable")
        begin, run = runs(bucket)
        before = (~known).cumsum() - ~known
        rank = (before - before[begin][run]) % WAYS
        return np.where(known, slots, first + oldest_first[np.arange(len(keys)), rank]), known


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
