"""Candidate rows on their way to and from the disk: columns of numbers, packed tightly, never trusted."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_GENERATION = (1 << 31) - 1
"""Rows from later saves than this are damage: a store is saved a few times a minute at most."""

_FIXED_COLUMNS = 3
_LEVEL = 1  # deflate's higher levels save 2 % of the space for twice the time


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the rows of one source go.

    Attributes:
        source: the source's name, such as ``rows2``.
        buckets, ways: how many buckets there are, and how many rows share one.
        k: candidates in a row.
        n_vocab: token ids are below this.
        layout: tells this geometry and way of packing from any other.
    """

    source: str
    buckets: int
    ways: int
    k: int
    n_vocab: int
    layout: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of one source.

    Attributes:
        places: uint32 (n,), the bucket.
        tags: uint32 (n,), which row of the bucket; never 0.
        stamps: uint32 (n,), when it was learned: the number of the save in a file, the clock in memory.
        packed: uint32 (n, k), ``token << 8 | probability step``, 0 = no candidate.
    """

    places: NDArray[np.uint32]
    tags: NDArray[np.uint32]
    stamps: NDArray[np.uint32]
    packed: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.places)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """The rows at these indexes, or where a mask is true."""
        return Rows(self.places[chosen], self.tags[chosen], self.stamps[chosen], self.packed[chosen])

    def stamped(self, stamp: int) -> "Rows":
        """The same rows, all learned at ``stamp``."""
        return Rows(self.places, self.tags, np.full(len(self), stamp, np.uint32), self.packed)


def no_rows(k: int) -> Rows:
    """No rows of ``k`` candidates."""
    none = np.zeros(0, np.uint32)
    return Rows(none, none, none, np.zeros((0, k), np.uint32))


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all ``parts`` (at least one), one after the other."""
    return Rows(
        np.concatenate([rows.places for rows in parts]),
        np.concatenate([rows.tags for rows in parts]),
        np.concatenate([rows.stamps for rows in parts]),
        np.concatenate([rows.packed for rows in parts]),
    )


def merge(rows: Rows, ways: int) -> Rows:
    """One row for each place and tag, the newest; of each place the ``ways`` newest. Sorted by place.

    The order of ``rows`` does not matter as long as no two differ in nothing but their candidates, so
    merging is commutative, associative and idempotent.
    """
    order = np.argsort(rows.stamps, kind="stable")
    key = rows.places.astype(np.uint64) << np.uint64(32) | rows.tags
    order = order[np.argsort(key[order], kind="stable")]
    key = key[order]
    newest = np.append(key[1:] != key[:-1], True)[: len(key)]
    rows = rows.only(order[newest])
    if len(rows) <= ways:
        return rows
    crowded = rows.places[ways:] == rows.places[:-ways]
    if not crowded.any():
        return rows
    oldest = np.lexsort((~rows.tags, rows.stamps))  # on a tie the lower tag stays, whoever comes first
    newest_first = oldest[::-1]
    order = newest_first[np.argsort(rows.places[newest_first], kind="stable")]
    rows = rows.only(order)
    return rows.only(rank_in_place(rows.places) < ways)


def rank_in_place(places: NDArray[np.uint32]) -> NDArray[np.intp]:
    """For sorted ``places``: how many of the same place come before each."""
    index = np.arange(len(places))
    first = np.append(True, places[1:] != places[:-1])[: len(places)]
    rank: NDArray[np.intp] = index - np.maximum.accumulate(np.where(first, index, 0))
    return rank


def encode(rows: Rows) -> bytes:
    """Rows sorted by place as compressed bytes: byte planes, since a token's upper bytes are nearly all 0."""
    steps = np.diff(rows.places, prepend=np.uint32(0))
    columns = np.ascontiguousarray(np.vstack([steps, rows.tags, rows.stamps, rows.packed.T]), "<u4")
    planes = columns.view(np.uint8).reshape(len(columns), -1, 4).transpose(0, 2, 1)
    return zlib.compress(planes.tobytes(), _LEVEL)


def decode(data: bytes, count: int, shape: Shape) -> Rows:
    """The ``count`` rows in ``data``; those that cannot be right are left out, all if need be."""
    if not 0 < count <= shape.buckets * shape.ways:
        return no_rows(shape.k)
    columns = _FIXED_COLUMNS + shape.k
    size = columns * 4 * count
    try:
        inflate = zlib.decompressobj()
        planes = inflate.decompress(data, size)  # a bomb goes off no further than this
        if len(planes) != size or not (inflate.eof or not inflate.decompress(inflate.unconsumed_tail, 1)):
            return no_rows(shape.k)
    except zlib.error:
        return no_rows(shape.k)
    stacked = np.frombuffer(planes, np.uint8).reshape(columns, 4, count).transpose(0, 2, 1)
    values = np.ascontiguousarray(stacked).view("<u4").reshape(columns, count).astype(np.uint32, copy=False)
    places = np.cumsum(values[0], dtype=np.uint64)
    packed = np.ascontiguousarray(values[_FIXED_COLUMNS:].T)
    right = places < shape.buckets
    right &= (values[1] != 0) & (values[2] <= MAX_GENERATION)
    right &= _candidates_right(packed, shape.n_vocab)
    rows = Rows(places.astype(np.uint32), values[1], values[2], packed)
    return rows if right.all() else rows.only(right)


def _candidates_right(packed: NDArray[np.uint32], n_vocab: int) -> NDArray[np.bool_]:
    """Which rows hold tokens of the vocabulary only, each at most once and with a probability."""
    tokens = packed >> np.uint32(8)
    empty = packed == 0
    sound = empty | ((tokens < n_vocab) & ((packed & np.uint32(255)) != 0))
    right: NDArray[np.bool_] = sound.all(axis=1) & ~empty.all(axis=1)
    # A token proposed twice by one row would be taken for a guess of another kind.
    for one in range(packed.shape[1]):
        for other in range(one):
            right &= empty[:, one] | (tokens[:, one] != tokens[:, other])
    return right
