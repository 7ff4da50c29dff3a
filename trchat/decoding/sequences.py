"""Which of the KV cache's sequences sees which node of a draft tree."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.native import binding
from trchat.recycling.native.binding import address
from trchat.recycling.tree import ROOT, DraftTree

_LARGE = 16  # nodes


class TreeSequences:
    """As many sequences as nodes: one for each leaf, which sees the way down to it, and some in reserve.

    llama.cpp reuses its compute graph, and a GPU the recorded launches of its kernels, only for batches of
    as many tokens *and* as many sequences as the one before; trees of one size differ in how many leaves
    they have. In a small tree those in reserve are twins of the first leaf's, which often has seen all that
    is accepted. In a large one they see no node, since each node that a sequence sees costs llama.cpp time.

    Attributes:
        n: how many sequences there are, of the tree last assigned.
        n_seeing: how many of them, the first ones, see any node.
        depths: int32, of each node; 1 = child of the root.
        counts: int32, how many sequences see each node.
        ids: int32, shape (nodes, sequences): which; see ``counts``. The first one sees the leading chain.
    """

    def __init__(self, n_nodes: int, n_seq: int) -> None:
        """Room for trees of up to so many nodes and leaves."""
        self.n = self.n_seeing = 0
        self.n_seq = n_seq
        self.depths, self.counts, self._leaves = (np.zeros(n_nodes, np.int32) for _ in range(3))
        self.ids = np.zeros((n_nodes, n_seq), np.int32)
        arrays = (self.depths, self.counts, self.ids)
        self._places = (*(address(array) for array in arrays), n_seq, address(self._leaves))

    def assign(self, tree: DraftTree) -> None:
        """Give the nodes of ``tree`` (at least one) their sequences.

        Raises ValueError where a parent does not come before its child.
        """
        n = len(tree)
        self.n = min(n, self.n_seq)
        with_twins = self.n if n < _LARGE else 0
        if binding.KERNEL is not None:
            self.n_seeing = binding.KERNEL.sequences(address(tree.parents), n, with_twins, *self._places)
            if self.n_seeing < 0:
                raise ValueError("a draft's parents come before their children")
        else:
            self._assign(tree, with_twins)

    def _assign(self, tree: DraftTree, with_twins: int) -> None:
        n = len(tree)
        if (tree.parents >= np.arange(n)).any() or (tree.parents < ROOT).any():
            raise ValueError("a draft's parents come before their children")
        paths = tree.paths
        paths = paths + paths[:1] * (with_twins - len(paths))
        self.n_seeing = len(paths)
        self.depths[:n] = tree.depths
        counts = [0] * n
        for seq, path in enumerate(paths):
            for node in path:
                self.ids[node, counts[node]] = seq
                counts[node] += 1
        self.counts[:n] = counts

    def of(self, node: int) -> NDArray[np.int32]:
        """The sequences that see ``node``, in rising order."""
        return self.ids[node, : self.counts[node]]
