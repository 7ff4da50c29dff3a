"""A draft tree as it is told to another process: without numpy, which takes longer to import than an answer's
first word should."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class TreeOutline:
    """What those who watch want to know of a ``DraftTree``; the same attributes mean the same.

    ``sources`` names who guessed each node, where the drafter tells.
    """

    tokens: Sequence[int]
    parents: Sequence[int]
    probabilities: Sequence[float] | None
    sources: Sequence[str] | None

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def depths(self) -> list[int]:
        """Depth of each node, 1 = child of the root."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(1 if parent < 0 else depths[parent] + 1)
        return depths
