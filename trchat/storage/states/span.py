"""A piece of a model's cache with the tokens it stands for: what tells it from others, and its file."""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from typing import IO

import numpy as np
from numpy.typing import NDArray

Key = bytes
"""Stands for all of a text up to some place, and for how it was computed."""
Tokens = NDArray[np.int32]
Bytes = NDArray[np.uint8]

KEY_BYTES = 16
_MAGIC = b"trchatKV"
_VERSION = 1
_HEAD = struct.Struct("<8sIIII")  # magic, version, tokens, points, parts
_SUM = struct.Struct("<I")
_MOST = 1 << 24
"""Tokens, far more than any context holds: a damaged file must not ask for more memory than it has bytes."""


def root_key(about: Sequence[object]) -> Key:
    """The key of the empty text, computed as ``about`` says: states of other kinds are never found."""
    return hashlib.blake2b(repr((_VERSION, *about)).encode(), digest_size=KEY_BYTES).digest()


def next_key(key: Key, tokens: Tokens) -> Key:
    """The key of the text with ``tokens`` behind it."""
    return hashlib.blake2b(key + _bytes(tokens), digest_size=KEY_BYTES).digest()


@dataclass(frozen=True, slots=True)
class About:
    """Which piece of a text it is.

    Attributes:
        parent: the key of the text before it.
        tokens: int32, its tokens.
        points: of a state that cannot go back by itself: places that it can be taken back to.
    """

    parent: Key
    tokens: Tokens
    points: tuple[int, ...] = ()

    @property
    def key(self) -> Key:
        """The key of the text that ends with it."""
        return next_key(self.parent, self.tokens)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a cache; ``parts`` are llama.cpp's bytes (see ``save_span`` of the caches)."""

    about: About
    parts: Sequence[Bytes]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(part) for part in self.parts)


def write_span(span: Span, file: IO[bytes]) -> None:
    """Write it, with a checksum at the end."""
    about = span.about
    head = _HEAD.pack(_MAGIC, _VERSION, len(about.tokens), len(about.points), len(span.parts))
    sizes = np.array([len(part) for part in span.parts], "<u8")
    points = np.array(about.points, "<i4")
    total = 0
    front = b"".join((head, about.parent, points.tobytes(), sizes.tobytes(), _bytes(about.tokens)))
    for data in (memoryview(front), *(part.data for part in span.parts)):
        total = zlib.crc32(data, total)
        file.write(data)
    file.write(_SUM.pack(total))


def read_about(file: IO[bytes]) -> About | None:
    """What a file says that it is, unchecked; None for what is no such file."""
    found = _read_head(file)
    return found and found[0]


def read_span(file: BufferedReader) -> Span | None:
    """Read it all; None for what is damaged, cut off, or of another version."""
    found = _read_head(file)
    if found is None:
        return None
    about, sizes, total = found
    parts = []
    end = file.seek(0, 2) - _SUM.size
    start = _head_size(about, len(sizes))
    if start + sum(sizes) != end:
        return None
    file.seek(start)
    for size in sizes:
        part = np.empty(size, np.uint8)
        if file.readinto(part.data) != size:
            return None
        total = zlib.crc32(part.data, total)
        parts.append(part)
    return Span(about, parts) if file.read() == _SUM.pack(total) else None


def _bytes(tokens: Tokens) -> bytes:
    return tokens.astype("<i4").tobytes()


def _read_head(file: IO[bytes]) -> tuple[About, list[int], int] | None:
    head = file.read(_HEAD.size)
    if len(head) != _HEAD.size:
        return None
    magic, version, n_tokens, n_points, n_parts = _HEAD.unpack(head)
    if (magic, version) != (_MAGIC, _VERSION) or max(n_tokens, n_points, n_parts) > _MOST:
        return None
    lengths = (KEY_BYTES, 4 * n_points, 8 * n_parts, 4 * n_tokens)
    rest = file.read(sum(lengths))
    if len(rest) != sum(lengths):
        return None
    parent, points, sizes, tokens = (
        rest[sum(lengths[:i]) : sum(lengths[: i + 1])] for i in range(len(lengths))
    )
    places = np.frombuffer(points, "<i4").tolist()
    about = About(parent, np.frombuffer(tokens, "<i4").astype(np.int32), tuple(places))
    return about, np.frombuffer(sizes, "<u8").tolist(), zlib.crc32(rest, zlib.crc32(head))


def _head_size(about: About, n_parts: int) -> int:
    return _HEAD.size + KEY_BYTES + 4 * len(about.points) + 8 * n_parts + 4 * len(about.tokens)
