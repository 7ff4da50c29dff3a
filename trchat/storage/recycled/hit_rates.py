"""The calibration as one vector of numbers: stored, checked, and added up over several writers.

Which arrays it consists of, and which numbers can be right, Calibration itself says.
"""

import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

from trchat.recycling import calibration
from trchat.recycling.calibration import Calibration

Vector = NDArray[np.float32]


def layout() -> str:
    """Tells what the numbers mean: the kinds of guesses, and the arrays."""
    arrays = [(name, array.shape) for name, array in _arrays(Calibration()).items()]
    return hashlib.blake2b(repr((calibration.layout(), arrays)).encode(), digest_size=8).hexdigest()


def nothing_learned() -> Vector:
    """The vector of a new calibration."""
    return vector(Calibration())


def vector(calibration: Calibration) -> Vector:
    """A copy of all that ``calibration`` has learned."""
    return np.concatenate([array.ravel() for array in _arrays(calibration).values()])


def restore(calibration: Calibration, values: Vector) -> None:
    """Set ``calibration`` to a ``vector``; what cannot be right becomes what a new calibration has."""
    fresh = _arrays(Calibration())
    arrays = _filled(calibration, values)
    for name, most in Calibration.WEIGHTS.items():
        array = arrays[name]
        wrong = ~np.isfinite(array)
        array[wrong] = fresh[name][wrong]
        np.clip(array, -most, most, out=array)
    for hits_name, seen_name in Calibration.COUNTS:
        hits, seen = arrays[hits_name], arrays[seen_name]
        with np.errstate(invalid="ignore"):
            right = (seen >= _least(fresh[seen_name])) & (seen <= Calibration.MOST_SEEN)
            right &= (hits >= 0) & (hits <= seen)
        hits[~right] = fresh[hits_name][~right]
        seen[~right] = fresh[seen_name][~right]
    calibration.refresh()


def sound(values: Vector) -> Vector:
    """``values`` without what cannot be right."""
    calibration = Calibration()
    restore(calibration, values)
    return vector(calibration)


def add(base: Vector, before: Vector, after: Vector) -> Vector:
    """``base`` with what one writer learned between ``before`` and ``after`` added to it."""
    if np.array_equal(base, before):
        return after
    with np.errstate(invalid="ignore", over="ignore"):
        total = base + (after - before)
    scratch, fresh = Calibration(), _arrays(Calibration())
    arrays = _filled(scratch, total)
    # Halving forgets, and adding up what two writers forgot may leave less than nothing.
    for hits_name, seen_name in Calibration.COUNTS:
        hits, seen = arrays[hits_name], arrays[seen_name]
        np.maximum(seen, _least(fresh[seen_name]), out=seen)
        np.clip(hits, 0, seen, out=hits)
        too_many = seen > Calibration.MOST_SEEN / 2
        hits[too_many] /= 2
        seen[too_many] /= 2
    return vector(scratch)


def encode(values: Vector) -> bytes:
    """The vector as compressed bytes; most kinds are never met, so most of it is zeros."""
    return zlib.compress(values.astype("<f4").tobytes(), 1)


def decode(data: bytes) -> Vector | None:
    """The vector in ``data``; None when it has not the right size or is damaged."""
    size = 4 * len(nothing_learned())
    try:
        values = zlib.decompressobj().decompress(data, size + 1)
    except zlib.error:
        return None
    return np.frombuffer(values, "<f4").astype(np.float32) if len(values) == size else None


def by_source(values: Vector) -> list[tuple[str, float, float]]:
    """For each source of guesses: its name, how many guesses came true, and of how many (lately)."""
    calibration = Calibration()
    restore(calibration, values)
    return calibration.by_source()


def _least(fresh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Counts that begin with a prior are divided by, so they never go down to nothing."""
    return np.minimum(fresh, np.float32(1.0))


def _filled(calibration: Calibration, values: Vector) -> dict[str, NDArray[np.float32]]:
    """The arrays of ``calibration``, set to ``values``."""
    arrays = _arrays(calibration)
    start = 0
    for array in arrays.values():
        array[...] = values[start : start + array.size].reshape(array.shape)
        start += array.size
    return arrays


def _arrays(calibration: Calibration) -> dict[str, NDArray[np.float32]]:
    names = [name for pair in Calibration.COUNTS for name in pair] + list(Calibration.WEIGHTS)
    return {name: getattr(calibration, name) for name in names}
