"""Which of the KV cache's sequences sees which node of a draft tree."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.native import binding
from trchat.recycling.native.binding import address
from trchat.recycling.tree import ROOT, DraftTree

_TWINS_SEE = 3  # nodes of the way down to the first leaf
# Sequences of all but the smallest trees: of a real model's, one in thirty has more leaves. Each one costs a
# pass over all cells where a tree comes and another where it goes, and must be shown the whole text once.
_USUAL = 8


class TreeSequences:
    """A sequence for each leaf, which sees the way down to it; up to the usual number, twins of the first.

    llama.cpp reuses its compute graph, and a GPU the recorded launches of its kernels, only for batches of
    as many tokens *and* as many sequences as the one before; trees of one size differ in how many leaves
    they have. The twins see the first few nodes on the way to the first leaf, which is what is accepted
    most often, and then need not be shown it: more would cost llama.cpp time for each node that one sees.

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
        """Give the nodes of ``tree`` their sequences: it has at least one, and at most ``n_seq`` leaves.

        Raises ValueError where a parent does not come before its child.
        """
        least = min(len(tree), _USUAL, self.n_seq)
        if binding.KERNEL is None:
            self._assign(tree, least)
            return
        self.n = binding.KERNEL.sequences(address(tree.parents), len(tree), least, _TWINS_SEE, *self._places)
        if self.n < 0:
            raise ValueError("a draft's parents come before their children")

    def _assign(self, tree: DraftTree, least: int) -> None:
        n = len(tree)
        if (tree.parents >= np.arange(n)).any() or (tree.parents < ROOT).any():
            raise ValueError("a draft's parents come before their children")
        paths = tree.paths
        paths = paths + [paths[0][:_TWINS_SEE]] * (least - len(paths))
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
