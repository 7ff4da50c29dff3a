"""One table of recycled candidates: its shape, and the memory that it takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WAYS = 4
"""Rows that may share a bucket; the one learned least often makes room for a new one."""

MOST = 255
"""How often a row can have been learned: more is not counted."""

CONTEXT = 3
"""Tokens back that a row's key may look."""


@dataclass(frozen=True, slots=True)
class TableShape:
    """What a table's rows are keyed by and how many it holds.

    Attributes:
        name: what the rows are known by, wherever they are kept.
        back: the tokens of the key, 1 = the last one, 2 = the one before, ...
        rows: a power of two, at least 2 * WAYS.
        k: candidates in a row.
        fresh: weight of a row that is learned again against what it held, 0 to 1; 1 forgets that.
    """

    name: str
    back: tuple[int, ...]
    rows: int
    k: int
    fresh: float = 1.0

    def __post_init__(self) -> None:
        if self.rows & (self.rows - 1) or self.rows < 2 * WAYS:
            raise ValueError(f"rows must be a power of two from {2 * WAYS}, not {self.rows}")
        if not set(self.back) <= set(range(1, CONTEXT + 1)):
            raise ValueError(f"a key looks 1 to {CONTEXT} tokens back, not {list(self.back)}")


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """The part of the memory that belongs to one table.

    Attributes:
        tags: uint32, shape (rows,); 0 = free.
        stamps: uint32, shape (rows,); the clock when the row was last learned, 0 = free.
        counts: uint8, shape (rows,); in how many lessons it was learned (steps, or several noted together),
            MOST at most, 0 = free.
        packed: uint32, shape (rows, k); 0 = no candidate.
    """

    shape: TableShape
    tags: NDArray[np.uint32]
    stamps: NDArray[np.uint32]
    counts: NDArray[np.uint8]
    packed: NDArray[np.uint32]

    @property
    def name(self) -> str:
        """What the rows are known by."""
        return self.shape.name

    @property
    def rows_learned(self) -> int:
        """Rows in use."""
        return int(np.count_nonzero(self.tags))
