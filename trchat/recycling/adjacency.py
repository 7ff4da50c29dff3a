"""The adjacency matrix: for each token, the k tokens that the model last thought likeliest to follow it."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.template import Template
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

EMPTY = -1
"""Marks a candidate not known yet; nothing is drafted from it."""


class AdjacencyMatrix:
    """Successor candidates by token, best first (arXiv 2408.08696, section 3.1).

    Attributes:
        candidates: int32, shape (n_vocab, k); EMPTY = none.
        stamps: uint32, shape (n_vocab,); the clock when the row was last learned, 0 = never.
        clock: counts updates.
    """

    def __init__(self, n_vocab: int, k: int = 8) -> None:
        self.candidates = np.full((n_vocab, k), EMPTY, np.int32)
        self.stamps = np.zeros(n_vocab, np.uint32)
        self.clock = 0

    @property
    def k(self) -> int:
        """Candidates kept for a token."""
        return self.candidates.shape[1]

    @property
    def rows_learned(self) -> int:
        """Tokens with at least one candidate."""
        return int((self.candidates[:, 0] != EMPTY).sum())

    def update(self, tokens: NDArray[np.int32], candidates: NDArray[np.int32]) -> None:
        """Overwrite rows ``tokens`` (n,) with ``candidates`` (n, k); the last of a repeated token counts."""
        # numpy leaves open which of several writes to one place stays, so the last one is picked here.
        backwards = tokens[::-1]
        _, last = np.unique(backwards, return_index=True)
        self.candidates[backwards[last]] = candidates[::-1][last]
        self.clock += 1
        self.stamps[backwards[last]] = self.clock

    def grow(self, root: int, template: Template) -> DraftTree:
        """Fill ``template`` below the token ``root``, layer by layer; what has no candidate is left out."""
        tokens = np.full(len(template.parents), EMPTY, np.int32)
        for layer in template.layers:
            parents = template.parents[layer]
            above = np.where(parents == ROOT, root, tokens[parents])
            found = self.candidates[above, template.ranks[layer]]
            tokens[layer] = np.where(above == EMPTY, EMPTY, found)
        known = tokens != EMPTY
        if not known.any():
            return EMPTY_TREE
        if known.all():
            return DraftTree(tokens, template.parents)
        renumbered = np.append(np.cumsum(known) - 1, ROOT).astype(np.int32)
        return DraftTree(tokens[known], renumbered[template.parents[known]])
