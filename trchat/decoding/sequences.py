"""Which of the KV cache's sequences sees which node of a draft tree."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.native import binding
from trchat.recycling.native.binding import address
from trchat.recycling.tree import ROOT, DraftTree


class TreeSequences:
    """One sequence for each leaf, which sees the nodes on the way down to it, and some twins of the first.

    llama.cpp reuses its compute graph, and a GPU the recorded launches of its kernels, only for batches of
    as many tokens *and* as many sequences as the one before. Trees of one size differ in how many leaves
    they have; hardly any has more than four fifths of its tokens.

    Attributes:
        n: how many sequences there are, of the tree last assigned.
        depths: int32, of each node; 1 = child of the root.
        counts: int32, how many sequences see each node.
        ids: int32, shape (nodes, sequences): which; see ``counts``. The first one sees the leading chain.
    """

    def __init__(self, n_nodes: int, n_seq: int) -> None:
        """Room for trees of up to so many nodes and leaves."""
        self.n = 0
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
        usual = min(n, (4 * n + 8) // 5, self.n_seq)
        if binding.KERNEL is not None:
            self.n = binding.KERNEL.sequences(address(tree.parents), n, usual, *self._places)
            if self.n < 0:
                raise ValueError("a draft's parents come before their children")
            return
        if (tree.parents >= np.arange(n)).any() or (tree.parents < ROOT).any():
            raise ValueError("a draft's parents come before their children")
        paths = tree.paths
        paths = paths + paths[:1] * (usual - len(paths))
        self.n = len(paths)
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
