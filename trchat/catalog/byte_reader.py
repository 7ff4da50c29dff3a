"""Reading a file forward, little-endian, with every length checked against the file before it is believed."""

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from trchat.catalog.string_walk import walk_strings
from trchat.errors import ModelError
from trchat.text.visible import visible

WINDOW = 1 << 18
"""Bytes read ahead at once: header fields are small and many."""

WALK_WINDOW = 1 << 20
"""Bytes looked at together while a vocabulary is passed over."""

MAX_STRING = 1 << 24
"""No text in a header comes near this; a longer one is damage, and an allocation on a stranger's word."""


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
        return ModelError(f"{visible(str(self.path))} is damaged: {visible(what)}")

    def cut_off(self) -> ModelError:
        """The error for a header that goes on behind the end of the file."""
        return ModelError(
            f"{visible(str(self.path))} is cut off: its header does not end within its {self.size} bytes"
        )

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises ModelError where the file has fewer."""
        if count > self.left:
            raise self.cut_off()
        start = self._fill(count)
        self.position += count
        return self._window[start : start + count]

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes without reading them."""
        if count > self.left:
            raise self.cut_off()
        self.position += count

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next values in ``layout``."""
        if layout.size > self.left:
            raise self.cut_off()
        start = self._fill(layout.size)
        self.position += layout.size
        return layout.unpack_from(self._window, start)

    def u32(self) -> int:
        """An unsigned 32-bit number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """An unsigned 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def string(self, what: str) -> bytes:
        """A text with its length before it; ``what`` names it in the error."""
        length = self.u64()
        if length > MAX_STRING:
            raise self.damaged(f"{what} claims {length} bytes")
        return self.take(length)

    def skip_strings(self, count: int, what: str) -> None:
        """Pass over ``count`` texts without making them."""
        while count:
            start = self._fill(min(WALK_WINDOW, self.left))
            walked, end = walk_strings(self._window, start, count, MAX_STRING)
            self.position += end - start
            count -= walked
            if count and not walked:
                # A text longer than the window, or the end of the file, or a length out of its mind.
                self.skip(self._string_length(what))
                count -= 1

    def _string_length(self, what: str) -> int:
        length = self.u64()
        if length > MAX_STRING:
            raise self.damaged(f"{what} claims a text of {length} bytes")
        return length

    def _fill(self, count: int) -> int:
        """Have ``count`` bytes from here in the window; return where in it they start."""
        start = self.position - self._window_start
        if start >= 0 and start + count <= len(self._window):
            return start
        self._file.seek(self.position)
        self._window = self._file.read(min(max(count, WINDOW), self.left))
        self._window_start = self.position
        if len(self._window) < count:
            # The file shrank while it was read.
            raise self.cut_off()
        return 0
