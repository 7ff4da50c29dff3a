"""Candidate rows on their way to and from the disk: columns of numbers, packed tightly, never trusted.

What a row says is bytes here: only trchat.storage.recycled.tables knows how to read them.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

MAX_GENERATION = (1 << 31) - 1
"""Rows from later saves than this are damage: a store is saved a few times a minute at most."""

HALF_LIFE = 256
"""Saves without being learned, after which it counts half how often a row was learned before."""

_NUMBERS = 3  # the place, the tag and the stamp, of four bytes each
_AHEAD = HALF_LIFE * np.log2(np.maximum(np.arange(256), 1))  # by count: what it is worth, in saves
_LEVEL = 1  # deflate's higher levels save 2 % of the space for twice the time


Content = NDArray[np.uint8]
"""What rows say, as bytes: (n, width)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the rows of one source go.

    Attributes:
        source: the source's name, such as ``rows2``.
        buckets, ways: how many buckets there are, and how many rows share one.
        width: bytes of what a row says.
        layout: tells this geometry and way of packing from any other.
        sound: which rows (uint8 (n, width)) can be right.
    """

    source: str
    buckets: int
    ways: int
    width: int
    layout: str
    sound: Callable[[Content], NDArray[np.bool_]]

    @property
    def row_bytes(self) -> int:
        """What a row takes in memory while it is read."""
        return 4 * _NUMBERS + 1 + self.width


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of one source.

    Attributes:
        places: uint32 (n,), the bucket.
        tags: uint32 (n,), which row of the bucket; never 0.
        stamps: uint32 (n,), when it was learned: the number of the save in a file, the clock in memory.
        counts: uint8 (n,), in how many lessons it was learned, at least 1.
        content: uint8 (n, width), what it says.
    """

    places: NDArray[np.uint32]
    tags: NDArray[np.uint32]
    stamps: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    content: Content

    def __len__(self) -> int:
        return len(self.places)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """The rows at these indexes, or where a mask is true."""
        return Rows(
            self.places[chosen],
            self.tags[chosen],
            self.stamps[chosen],
            self.counts[chosen],
            self.content[chosen],
        )

    def stamped(self, stamp: int) -> "Rows":
        """The same rows, all learned at ``stamp``."""
        return replace(self, stamps=np.full(len(self), stamp, np.uint32))

    def aged(self, now: int) -> "Rows":
        """The same rows at the save ``now``: counts halved for each HALF_LIFE since they were learned."""
        ages = np.maximum(now - self.stamps.astype(np.int64), 0)
        counts = self.counts >> np.minimum(ages // HALF_LIFE, 7).astype(np.uint8)
        return replace(self, counts=np.maximum(counts, 1))

    def worth(self) -> NDArray[np.float64]:
        """What says which rows stay (n,): when they were learned, and HALF_LIFE later if twice as often.

        So counts fade, as in ``aged``, but which of two rows is worth more is the same at any time.
        """
        worth: NDArray[np.float64] = self.stamps + _AHEAD[self.counts]
        return worth


def no_rows(width: int) -> Rows:
    """No rows of ``width`` bytes."""
    none = np.zeros(0, np.uint32)
    return Rows(none, none, none, np.zeros(0, np.uint8), np.zeros((0, width), np.uint8))


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all ``parts`` (at least one), one after the other."""
    return Rows(
        np.concatenate([rows.places for rows in parts]),
        np.concatenate([rows.tags for rows in parts]),
        np.concatenate([rows.stamps for rows in parts]),
        np.concatenate([rows.counts for rows in parts]),
        np.concatenate([rows.content for rows in parts]),
    )


def merge(rows: Rows, ways: int) -> Rows:
    """One row for each place and tag, the newest; of each place the ``ways`` of most worth. Sorted by place.

    The order of ``rows`` does not matter as long as no two differ in nothing but what they say, so
    merging is commutative and idempotent. It is associative too as long as a row that is learned again
    becomes worth more, as it does unless it was forgotten in between.
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
    least = np.lexsort((~rows.tags, rows.worth()))  # on a tie the lower tag stays, whoever comes first
    best = least[::-1]
    order = best[np.argsort(rows.places[best], kind="stable")]
    rows = rows.only(order)
    return rows.only(rank_in_place(rows.places) < ways)


def rank_in_place(places: NDArray[np.uint32]) -> NDArray[np.intp]:
    """For sorted ``places``: how many of the same place come before each."""
    index = np.arange(len(places))
    first = np.append(True, places[1:] != places[:-1])[: len(places)]
    rank: NDArray[np.intp] = index - np.maximum.accumulate(np.where(first, index, 0))
    return rank


def encode(rows: Rows) -> bytes:
    """Rows sorted by place as compressed bytes: byte planes, since a token's upper bytes are nearly all 0.

    The counts come last.
    """
    steps = np.diff(rows.places, prepend=np.uint32(0))
    numbers = np.stack([steps, rows.tags, rows.stamps], axis=1).astype("<u4").view(np.uint8)
    planes = np.concatenate([numbers, rows.content, rows.counts[:, None]], axis=1).T
    return zlib.compress(planes.tobytes(), _LEVEL)


def decode(data: bytes, count: int, shape: Shape) -> Rows:
    """The ``count`` rows in ``data``; those that cannot be right are left out, all if need be."""
    if not 0 < count <= shape.buckets * shape.ways:
        return no_rows(shape.width)
    size = shape.row_bytes * count
    try:
        inflate = zlib.decompressobj()
        planes = inflate.decompress(data, size)  # a bomb goes off no further than this
        if not (inflate.eof or not inflate.decompress(inflate.unconsumed_tail, 1)):
            return no_rows(shape.width)
    except zlib.error:
        return no_rows(shape.width)
    if len(planes) == size - count:
        planes += bytes([1]) * count  # from a file of version 1, whose rows have no counts
    if len(planes) != size:
        return no_rows(shape.width)
    together = np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(-1, count).T)
    numbers = np.ascontiguousarray(together[:, : 4 * _NUMBERS]).view("<u4").astype(np.uint32, copy=False)
    content = np.ascontiguousarray(together[:, 4 * _NUMBERS : -1])
    counts = np.maximum(together[:, -1], 1)
    places, tags, stamps = np.cumsum(numbers[:, 0], dtype=np.uint64), numbers[:, 1], numbers[:, 2]
    right = (places < shape.buckets) & (tags != 0) & (stamps <= MAX_GENERATION) & shape.sound(content)
    rows = Rows(places.astype(np.uint32), tags.copy(), stamps.copy(), counts, content)
    return rows if right.all() else rows.only(right)
