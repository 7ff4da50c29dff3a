"""The calibration as one vector of numbers: stored, checked, and added up over several writers."""

import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

from trchat.recycling import kinds
from trchat.recycling.calibration import Calibration

Vector = NDArray[np.float32]

_COUNTS = (("hits", "seen"), ("source_hits", "source_seen"))
_MOST_SEEN = 16_000.0  # counts are halved from 4,000 on; two writers may both be just below
_STEEPEST = {"weights": 2.0, "bias": 16.0}
"""Beyond these they are of no use, and could make exp() overflow: 5 sources * 2 * log(999) + 16 < 88."""


def layout() -> str:
    """Tells what the numbers mean: the kinds of guesses and where their levels begin."""
    levels = (
        kinds.SIZES,
        kinds.row_levels(),
        [kinds.suffix_level(length) for length in range(64)],
        [kinds.other_suffix_level(length) for length in range(64)],
        [kinds.sibling_level(weight / 100) for weight in range(100)],
    )
    return hashlib.blake2b(repr(levels).encode(), digest_size=8).hexdigest()


def vector(calibration: Calibration) -> Vector:
    """A copy of all that ``calibration`` has learned."""
    return np.concatenate([array.ravel() for array in _arrays(calibration).values()])


def restore(calibration: Calibration, values: Vector) -> None:
    """Set ``calibration`` to a ``vector``; what cannot be right becomes what a new calibration has."""
    fresh = _arrays(Calibration())
    start = 0
    for name, array in _arrays(calibration).items():
        array[...] = values[start : start + array.size].reshape(array.shape)
        start += array.size
        if name in _STEEPEST:
            wrong = ~np.isfinite(array)
            array[wrong] = fresh[name][wrong]
            np.clip(array, -_STEEPEST[name], _STEEPEST[name], out=array)
    for hits_name, seen_name in _COUNTS:
        hits, seen = getattr(calibration, hits_name), getattr(calibration, seen_name)
        least = 1.0 if seen_name == "source_seen" else 0.0  # a rate is hits / seen there
        with np.errstate(invalid="ignore"):
            right = (seen >= least) & (seen <= _MOST_SEEN) & (hits >= 0) & (hits <= seen)
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
    scratch = Calibration()
    start = 0
    # Halving forgets, and adding up what two writers forgot may leave less than nothing.
    for array in _arrays(scratch).values():
        array[...] = total[start : start + array.size].reshape(array.shape)
        start += array.size
    np.maximum(scratch.source_seen, 1.0, out=scratch.source_seen)
    for hits_name, seen_name in _COUNTS:
        hits, seen = getattr(scratch, hits_name), getattr(scratch, seen_name)
        np.maximum(seen, 0, out=seen)
        np.clip(hits, 0, seen, out=hits)
        too_many = seen > _MOST_SEEN / 2
        hits[too_many] /= 2
        seen[too_many] /= 2
    return vector(scratch)


def encode(values: Vector) -> bytes:
    """The vector as compressed bytes; most kinds are never met, so most of it is zeros."""
    return zlib.compress(values.astype("<f4").tobytes(), 1)


def decode(data: bytes) -> Vector | None:
    """The vector in ``data``; None when it has not the right size or is damaged."""
    size = 4 * sum(array.size for array in _arrays(Calibration()).values())
    try:
        values = zlib.decompressobj().decompress(data, size + 1)
    except zlib.error:
        return None
    return np.frombuffer(values, "<f4").astype(np.float32) if len(values) == size else None


def by_source(values: Vector) -> list[tuple[str, float, float]]:
    """For each source of guesses: its name, how many guesses came true, and of how many (lately)."""
    calibration, fresh = Calibration(), Calibration()
    restore(calibration, values)
    found = []
    for number, name in enumerate(kinds.SOURCES):
        # Counts begin with a prior, which was never seen; level 0 stands for "no guess".
        hits = calibration.source_hits[number, 1:] - fresh.source_hits[number, 1:]
        seen = calibration.source_seen[number, 1:] - fresh.source_seen[number, 1:]
        total = max(float(seen.sum()), 0.0)
        found.append((name, min(max(float(hits.sum()), 0.0), total), total))
    return found


def _arrays(calibration: Calibration) -> dict[str, NDArray[np.float32]]:
    names = [name for pair in _COUNTS for name in pair] + list(_STEEPEST)
    return {name: getattr(calibration, name) for name in names}
