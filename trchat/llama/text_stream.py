"""Tokens to text as they arrive."""

import codecs
from collections.abc import Callable


class TextStream:
    """Turns a growing answer's tokens into text; a character split over tokens waits for its last byte."""

    def __init__(self, piece: Callable[[int], bytes]) -> None:
        """``piece`` gives the bytes of one token."""
        self._piece = piece
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """Text completed by ``token``; empty while a character is unfinished."""
        return self._decoder.decode(self._piece(token))

    def finish(self) -> str:
        """What is left at the end: U+FFFD for a character that the answer broke off in, else nothing."""
        return self._decoder.decode(b"", final=True)
