"""The compiled kernel: where it is, and how its functions are called."""

import weakref
from ctypes import POINTER, PyDLL, c_double, c_int, c_int32, c_int64, c_uint8, c_uint32, c_void_p
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trchat.recycling.native.sources import FILE, sources_hash

MOST_CANDIDATES = 16
"""As in kernel.h: what one row of a table, or one search, may hold."""

_POINTER, _WHOLE = c_void_p, c_int64
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "sources": (_WHOLE, []),
    "top_k": (None, [_POINTER, _WHOLE, _WHOLE, _WHOLE, c_int, _POINTER, _POINTER, _POINTER, _POINTER]),
    "contenders": (_WHOLE, [_POINTER, _WHOLE, c_int, _POINTER, _WHOLE, _POINTER]),
    "tables_new": (_POINTER, [_POINTER] * 4),
    "tables_add": (None, [_POINTER, c_uint32, c_int, _WHOLE, _WHOLE, c_int, c_double]),
    "tables_learn": (None, [_POINTER, _POINTER, _POINTER, _WHOLE, c_int, c_uint32]),
    "tables_free": (None, [_POINTER]),
    "rates_new": (_POINTER, [c_int] * 2 + [_POINTER] * 9 + [c_double] * 3 + [c_int]),
    "rates_learn": (None, [_POINTER, _POINTER, _POINTER, _WHOLE]),
    "rate": (c_double, [_POINTER, c_int32]),
    "rates_free": (None, [_POINTER]),
    "sequences": (c_int32, [_POINTER] + [c_int32] * 3 + [_POINTER] * 3 + [_WHOLE, _POINTER]),
    "grower_new": (
        _POINTER,
        [_POINTER] * 4
        + [c_int] * 3
        + [c_double] * 2
        + [c_int] * 2
        + [_WHOLE]
        + [c_double] * 4
        + [_POINTER, c_int, c_int],
    ),
    "grower_free": (None, [_POINTER]),
    "begin": (None, [_POINTER]),
    "remember": (None, [_POINTER, _POINTER, _WHOLE]),
    "forget_texts": (None, [_POINTER]),
    "extend": (None, [_POINTER, _POINTER, _WHOLE]),
    "grow": (_WHOLE, [_POINTER, _WHOLE, POINTER(POINTER(c_double))]),
    "cut": (_WHOLE, [_POINTER, _WHOLE] + [_POINTER] * 4),
    "forget_guesses": (None, [_POINTER]),
    "note": (None, [_POINTER, _POINTER, _WHOLE, _POINTER, _WHOLE, _WHOLE]),
    "recycle": (c_int, [_POINTER, _POINTER, _WHOLE, _WHOLE, c_int, c_uint32, _POINTER, _WHOLE]),
    "n_labels": (_WHOLE, [_POINTER]),
    "take_labels": (_WHOLE, [_POINTER, POINTER(POINTER(c_int32)), POINTER(POINTER(c_uint8))]),
}


class Kernel:
    """The functions of a compiled kernel, by their names in C without ``trchat_``."""

    def __init__(self, file: Path) -> None:
        """Raises OSError where it cannot be loaded, AttributeError or ValueError where it is another one."""
        # Not CDLL: that lets other threads run meanwhile, and to go on again may take longer than the call.
        library = PyDLL(str(file))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, f"trchat_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        if self.sources() != sources_hash():
            raise ValueError(f"{file.name} is compiled from other sources than there are")

    def __getattr__(self, name: str) -> Any:  # told to the type checker only: all are set above
        raise AttributeError(name)


def address(array: NDArray[Any]) -> int:
    """Where an array's first element lies; whoever passes it on keeps the array."""
    place: int = array.__array_interface__["data"][0]
    return place


def freed_with(owner: object, free: Any, handle: int) -> int:
    """``handle``, which is freed when ``owner`` goes."""
    weakref.finalize(owner, free, handle)
    return handle


def _load() -> Kernel | None:
    try:
        return Kernel(FILE)
    except (OSError, AttributeError, ValueError):
        return None


KERNEL = _load()
"""None where there is none: everything is then done in Python and numpy."""
