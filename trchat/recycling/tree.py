"""The draft tree: guessed tokens below the last known one, in the order they are sent to the model."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import main_source
from trchat.recycling.outline import TreeOutline

ROOT = -1
"""Parent of the first tokens: the last known token, which is not part of the tree."""


class DraftTree:
    """Guessed tokens with their parents.

    The most probable chain comes first (``chain`` nodes, each the parent of the next), because what is
    accepted of it leaves no gap in the KV cache; every parent comes before its children.

    Attributes:
        tokens: int32, shape (n,).
        parents: int32, shape (n,); index of the parent node, ROOT for the first layer.
        probabilities: of the whole path down to each node, where the drafter tells; for those who watch.
        kinds: which sources guessed each node (see trchat.recycling.calibration), where the drafter tells.
    """

    def __init__(
        self,
        tokens: NDArray[np.int32],
        parents: NDArray[np.int32],
        probabilities: Sequence[float] | None = None,
        kinds: Sequence[int] | None = None,
    ) -> None:
        self.tokens = np.ascontiguousarray(tokens, np.int32)
        self.parents = np.ascontiguousarray(parents, np.int32)
        self.probabilities = probabilities
        self.kinds = kinds

    @property
    def sources(self) -> list[str] | None:
        """The name of each node's surest source, where the drafter tells."""
        return None if self.kinds is None else [main_source(kind) for kind in self.kinds]

    def __len__(self) -> int:
        return len(self.tokens)

    def __reduce__(self) -> tuple[Any, ...]:
        # To a process that only looks.
        return TreeOutline, (self.tokens.tolist(), self.parents.tolist(), self.probabilities, self.sources)

    @cached_property
    def chain(self) -> int:
        """Number of leading nodes that form one path down from the root."""
        length = 0
        for parent in self._parents:
            if parent != length - 1:
                break
            length += 1
        return length

    @cached_property
    def depths(self) -> list[int]:
        """Depth of each node, 1 = child of the root."""
        depths: list[int] = []
        for parent in self._parents:
            depths.append(1 if parent == ROOT else depths[parent] + 1)
        return depths

    @cached_property
    def paths(self) -> list[list[int]]:
        """The nodes on the way down to each leaf; the leaf that the leading chain runs into comes first."""
        parents = self._parents
        paths: list[list[int]] = []
        for leaf in sorted(set(range(len(self))).difference(parents)):
            path, node = [], leaf
            while node != ROOT:
                path.append(node)
                node = parents[node]
            path.reverse()
            paths.append(path)
        end = self.chain - 1
        first = next((number for number, path in enumerate(paths) if path[end : end + 1] == [end]), 0)
        return paths[first : first + 1] + paths[:first] + paths[first + 1 :]

    @cached_property
    def _parents(self) -> list[int]:
        parents: list[int] = self.parents.tolist()
        return parents

    def first(self, n_nodes: int) -> "DraftTree":
        """The tree of the first ``n_nodes`` nodes; whole, since parents come first."""
        if n_nodes >= len(self):
            return self
        n = max(n_nodes, 0)
        return DraftTree(
            self.tokens[:n],
            self.parents[:n],
            None if self.probabilities is None else self.probabilities[:n],
            None if self.kinds is None else self.kinds[:n],
        )

    def with_leaves(self, most: int) -> "DraftTree":
        """The tree of as many of the first nodes as have no more than ``most`` leaves."""
        if len(self.paths) <= most:
            return self
        inner, leaves = {ROOT}, 0
        for node, parent in enumerate(self._parents):
            leaves += parent in inner  # else it is a leaf in its parent's place
            if leaves > most:
                return self.first(node)
            inner.add(parent)
        return self


EMPTY_TREE = DraftTree(np.zeros(0, np.int32), np.zeros(0, np.int32))


def chain_tree(tokens: NDArray[np.int32]) -> DraftTree:
    """A tree of one branch."""
    return DraftTree(tokens.astype(np.int32), np.arange(ROOT, len(tokens) - 1, dtype=np.int32))
