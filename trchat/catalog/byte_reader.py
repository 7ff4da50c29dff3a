"""Reading a file forward, little-endian, with every length checked against the file before it is believed."""

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from trchat.catalog.string_walk import walk_strings
from trchat.errors import ModelError
from trchat.text.one_line import one_line

WINDOW = 1 << 18
"""Bytes read ahead at once: header fields are small and many."""

WALK_WINDOW = 1 << 20
"""Bytes looked at together while a vocabulary is passed over."""

MAX_STRING = 1 << 24
"""No text in a header comes near this; a longer one is damage, and an allocation on a stranger's word."""

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class ByteReader:
    """Forward reader of one file. Every defect is a ModelError of one line that names the file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self.position = 0
        self._file = file
        self._window = b""
        self._window_start = 0

    @property
    def left(self) -> int:
        """Bytes between here and the end of the file."""
        return self.size - self.position

    def damaged(self, what: str) -> ModelError:
        """The error for contents that no writer would have written."""
        return ModelError(f"{one_line(str(self.path))} is damaged: {one_line(what)}")

    def cut_off(self) -> ModelError:
        """The error for a header that goes on behind the end of the file."""
        return ModelError(
            f"{one_line(str(self.path))} is cut off: its header does not end within its {self.size} bytes"
        )

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises ModelError where the file has fewer."""
        start = self._have(count)
        self.position += count
        return self._window[start : start + count]

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes without reading them."""
        if count > self.left:
            raise self.cut_off()
        self.position += count

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next values in ``layout``."""
        start = self._have(layout.size)
        self.position += layout.size
        return layout.unpack_from(self._window, start)

    def u32(self) -> int:
        """An unsigned 32-bit number."""
        (value,) = self.unpack(_U32)
        return int(value)

    def u64(self) -> int:
        """An unsigned 64-bit number."""
        (value,) = self.unpack(_U64)
        return int(value)

    def string(self, what: str) -> bytes:
        """A text with its length before it; ``what`` names it in the error."""
        length = self.u64()
        if length > MAX_STRING:
            raise self.damaged(f"{what} claims {length} bytes")
        return self.take(length)

    def skip_strings(self, count: int, what: str) -> None:
        """Pass over ``count`` texts without making them."""
        while count:
            walked = self._walk(count) or self._walk(count, WALK_WINDOW)
            count -= walked
            if not walked:
                # A text longer than the window, or the end of the file, or a length out of its mind.
                length = self.u64()
                if length > MAX_STRING:
                    raise self.damaged(f"{what} claims a text of {length} bytes")
                self.skip(length)
                count -= 1

    def _walk(self, count: int, window: int = 0) -> int:
        """Pass over the texts that are whole in the window, read again when a size is given; say how many."""
        start = self._read_window(window) if window else self._have(min(_U64.size, self.left))
        walked, end = walk_strings(self._window, start, count, MAX_STRING)
        self.position += end - start
        return walked

    def _have(self, count: int) -> int:
        """Have ``count`` bytes from here in the window; return where in it they start."""
        start = self.position - self._window_start  # never below 0: reading only goes forward
        if start + count <= len(self._window):
            return start
        if count > self.left:
            raise self.cut_off()
        return self._read_window(max(count, WINDOW), count)

    def _read_window(self, size: int, least: int = 0) -> int:
        self._file.seek(self.position)
        self._window = self._file.read(min(size, self.left))
        self._window_start = self.position
        if len(self._window) < least:
            # The file shrank while it was read.
            raise self.cut_off()
        return 0
