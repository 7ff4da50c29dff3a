"""The names in the objects of a JSON text that is being written: none may stand there twice."""

from typing import NamedTuple


class _State(NamedTuple):
    """``open`` holds the names in each object that is still open, the innermost last; None for an array."""

    open: tuple[frozenset[bytes] | None, ...] = ()
    name_next: bool = False
    in_string: bool = False
    escaped: bool = False
    name: bytes | None = None


class Names:
    """Follows a JSON text token by token. The text is known to be JSON, with one spelling for each string."""

    def __init__(self) -> None:
        self._state = _State()
        self._looked: tuple[bytes, _State | None] = b"", self._state

    def repeats(self, piece: bytes) -> bool:
        """Whether a name would be there twice if the text went on with ``piece``."""
        return self._after(piece) is None

    def write(self, piece: bytes) -> None:
        """The text goes on with ``piece``, in which no name repeats."""
        after = self._after(piece)
        assert after is not None
        self._state = after
        self._looked = b"", after

    def _after(self, piece: bytes) -> _State | None:
        looked_at, after = self._looked
        if looked_at != piece:
            after = _read(self._state, piece)
            self._looked = piece, after
        return after


def _read(state: _State, piece: bytes) -> _State | None:
    """The state behind ``piece``; None where a name repeats."""
    levels, name_next, in_string, escaped, name = list(state.open), *state[1:]
    for byte in piece:
        letter = bytes((byte,))
        if in_string:
            if letter == b'"' and not escaped:
                in_string = False
                names = levels[-1] if levels else None
                if name is not None and names is not None:
                    if name in names:
                        return None
                    levels[-1] = names | {name}
                name = None
                continue
            if name is not None:
                name += letter
            escaped = letter == b"\\" and not escaped
        elif letter == b'"':
            in_string, name, name_next = True, b"" if name_next else None, False
        elif letter == b"{":
            levels.append(frozenset())
            name_next = True
        elif letter == b"[":
            levels.append(None)
            name_next = False
        elif letter in b"}]":
            levels.pop()
            name_next = False
        elif letter == b",":
            name_next = bool(levels) and levels[-1] is not None
    return _State(tuple(levels), name_next, in_string, escaped, name)
