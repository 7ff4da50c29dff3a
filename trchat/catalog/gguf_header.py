"""The header of a GGUF file: metadata and the list of tensors, read strictly and without trust.

Nothing is allocated, looped over or skipped on the word of the file alone: counts and lengths are checked
against what is left of the file and against limits far above any real model. Large arrays (the vocabulary)
are passed over.
"""

import math
import stat
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

from trchat.catalog.byte_reader import ByteReader
from trchat.catalog.gguf_types import NEWEST_TENSOR_TYPE, TENSOR_TYPES, TYPE_NUMBER_LIMIT, tensor_bytes
from trchat.errors import ModelError
from trchat.text.one_line import one_line

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_ENTRIES = 1 << 16
"""Metadata keys, or tensors. Real models stay below 100 and 3,000."""
MAX_ARRAY_STRINGS = 1 << 23
"""Texts in all arrays of one file together. The largest vocabulary with its merges has under a million."""
KEPT_ARRAY = 1024
"""Arrays up to this length are read, longer ones (vocabularies) passed over."""
MAX_DIMENSIONS = 4
MAX_TENSOR_NAME = 63
TOO_MANY_VALUES = 1 << 62
DEFAULT_ALIGNMENT = 32

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_BOOL = 7
_TENSOR_TAILS = {n: struct.Struct(f"<{n}QIQ") for n in range(1, MAX_DIMENSIONS + 1)}
"""Shape, type and offset of a tensor of n dimensions."""

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Array:
    """A metadata array; ``values`` is None where it was passed over. ``span``: its bytes in the file."""

    length: int
    values: tuple[Scalar, ...] | None
    span: tuple[int, int] = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the header says of one tensor. ``size`` in bytes, None for a type newer than this reader."""

    name: str
    shape: tuple[int, ...]
    type_number: int
    offset: int
    size: int | None

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """All that a GGUF file says before its weights begin. Sizes in bytes."""

    path: Path
    version: int
    metadata: dict[str, Scalar | Array]
    tensors: tuple[Tensor, ...]
    data_start: int
    file_size: int

    def text(self, key: str) -> str | None:
        """The metadata text under ``key``, or None."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """The metadata integer under ``key``, or None."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def array(self, key: str) -> Array | None:
        """The metadata array under ``key``, or None."""
        value = self.metadata.get(key)
        return value if isinstance(value, Array) else None


def read_header(path: Path) -> Header:
    """Read the header of the GGUF file at ``path``.

    Raises ModelError, with one line that names the file and the defect, for what is not a whole GGUF file.
    """
    shown = one_line(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ModelError(f"{shown} is a folder, not a GGUF file")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise ModelError(f"{shown} is not a regular file")
        with path.open("rb") as file:
            return _read(ByteReader(file, path))
    except FileNotFoundError:
        raise ModelError(f"{shown} does not exist") from None
    except OSError as error:
        raise ModelError(f"{shown} cannot be read: {error.strerror or error}") from None
    except ValueError:  # a name with a null character in it
        raise ModelError(f"{shown} is not a file name") from None


def _read(reader: ByteReader) -> Header:
    version = _read_version(reader)
    tensor_count, key_count = reader.u64(), reader.u64()
    if max(tensor_count, key_count) > MAX_ENTRIES:
        raise reader.damaged(f"it claims {tensor_count} tensors and {key_count} metadata keys")
    metadata: dict[str, Scalar | Array] = {}
    strings_left = MAX_ARRAY_STRINGS
    for _ in range(key_count):
        key = _read_name(reader, "a metadata key")
        if key in metadata:
            raise reader.damaged(f"the metadata key {key[:80]!r} occurs twice")
        start = reader.position
        value, strings = _read_value(reader, key, strings_left)
        metadata[key] = replace(value, span=(start, reader.position)) if isinstance(value, Array) else value
        strings_left -= strings
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
        raise reader.damaged("its alignment is not a power of two")
    tensors = _read_tensors(reader, tensor_count, alignment)
    data_start = _padded(reader.position, alignment)
    header = Header(reader.path, version, metadata, tensors, data_start, reader.size)
    _check_whole(header)
    return header


def _read_version(reader: ByteReader) -> int:
    shown = one_line(str(reader.path))
    if reader.size == 0:
        raise ModelError(f"{shown} is empty")
    if reader.take(min(len(MAGIC), reader.size)) != MAGIC:
        raise ModelError(f"{shown} is not a GGUF file")
    version = reader.u32()
    if version in VERSIONS:
        return version
    if int.from_bytes(version.to_bytes(4, "little"), "big") in (1, *VERSIONS):
        raise ModelError(f"{shown} is a big-endian GGUF file, which only runs on big-endian machines")
    if version == 1:
        raise ModelError(
            f"{shown} is a GGUF file of version 1, which llama.cpp no longer reads: convert it again"
        )
    raise ModelError(f"{shown} is a GGUF file of version {version}; versions 2 and 3 are known")


def _read_name(reader: ByteReader, what: str) -> str:
    try:
        name = reader.string(what).decode("utf-8")
    except UnicodeDecodeError:
        raise reader.damaged(f"{what} is not UTF-8") from None
    if not name:
        raise reader.damaged(f"{what} is empty")
    return name


def _read_value(reader: ByteReader, key: str, strings_left: int) -> tuple[Scalar | Array, int]:
    """One metadata value, and how many texts its array held."""
    kind = reader.u32()
    if kind != _ARRAY:
        return _read_scalar(reader, key, kind), 0
    kind, length = reader.u32(), reader.u64()
    if kind == _STRING:
        if length > strings_left:
            raise reader.damaged(f"{key[:80]!r} claims {length} texts")
        if length * 8 > reader.left:
            raise reader.cut_off()
        if length <= KEPT_ARRAY:
            return Array(length, tuple(_read_scalar(reader, key, _STRING) for _ in range(length))), length
        reader.skip_strings(length, repr(key[:80]))
        return Array(length, None), length
    if kind not in _SCALARS:  # an array of arrays too: llama.cpp reads none
        raise reader.damaged(f"{key[:80]!r} is an array of unknown type {kind}")
    width = _SCALARS[kind].size
    if length * width > reader.left:
        raise (
            reader.cut_off()
            if length <= MAX_ARRAY_STRINGS
            else reader.damaged(f"{key[:80]!r} claims {length} values")
        )
    if length <= KEPT_ARRAY:
        return Array(length, tuple(_read_scalar(reader, key, kind) for _ in range(length))), 0
    reader.skip(length * width)
    return Array(length, None), 0


def _read_scalar(reader: ByteReader, key: str, kind: int) -> Scalar:
    if kind == _STRING:
        # Values are shown, never trusted: one bad byte in a licence does not make a model unusable.
        return reader.string(repr(key[:80])).decode("utf-8", errors="replace")
    if kind not in _SCALARS:
        raise reader.damaged(f"{key[:80]!r} has unknown type {kind}")
    (value,) = reader.unpack(_SCALARS[kind])
    return bool(value) if kind == _BOOL else value


def _read_tensors(reader: ByteReader, count: int, alignment: int) -> tuple[Tensor, ...]:
    tensors: list[Tensor] = []
    names: set[str] = set()
    expected: int | None = 0
    for _ in range(count):
        tensor = _read_tensor(reader)
        if tensor.name in names:
            raise reader.damaged(f"the tensor {tensor.name!r} occurs twice")
        names.add(tensor.name)
        if expected is not None and tensor.offset != expected:
            raise reader.damaged(f"the tensor {tensor.name!r} is not where it should be")
        # Tensors follow one another, as llama.cpp demands; behind one of unknown size nothing can be told.
        expected = (
            None if expected is None or tensor.size is None else _padded(expected + tensor.size, alignment)
        )
        tensors.append(tensor)
    return tuple(tensors)


def _read_tensor(reader: ByteReader) -> Tensor:
    name = _read_name(reader, "a tensor's name")
    if len(name.encode()) > MAX_TENSOR_NAME:
        raise reader.damaged("a tensor's name is too long")
    dimensions = reader.u32()
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise reader.damaged(f"the tensor {name!r} has {dimensions} dimensions")
    *shape, type_number, offset = reader.unpack(_TENSOR_TAILS[dimensions])
    values = math.prod(shape)
    if values >= TOO_MANY_VALUES or max(shape) >= TOO_MANY_VALUES:
        raise reader.damaged(f"the tensor {name!r} is larger than any file")
    known = type_number in TENSOR_TYPES or NEWEST_TENSOR_TYPE < type_number < TYPE_NUMBER_LIMIT
    if not known:
        raise reader.damaged(f"the tensor {name!r} has unknown type {type_number}")
    try:
        size = tensor_bytes(type_number, shape[0], values)
    except ValueError as error:
        raise reader.damaged(f"the tensor {name!r}: {error}") from None
    return Tensor(name, tuple(shape), type_number, offset, size)


def _check_whole(header: Header) -> None:
    needed = max((header.data_start + t.offset + (t.size or 0) for t in header.tensors), default=0)
    if needed > header.file_size:
        raise ModelError(
            f"{one_line(str(header.path))} is cut off: needs {needed:,} bytes, has {header.file_size:,}"
        )


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
