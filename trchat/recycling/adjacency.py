"""The paper's Token Recycling: a matrix of candidates by token, and the static tree that it fills."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

PAPER_PATHS = """
0 1 2 3 4 5 6 7
00 01 02 03 04 05 06 07 10 11 12 13 20 21 22 30 31 40 50 60 70
000 001 002 003 004 005 006 007 010 011 012 020 021 030 040 050 060 070 100 101 110 200 300 400 500
0000 0001 0002 0003 0004 0010 0011 0020 0030 0040 0100 0200 1000 2000 3000
00000 00001 00002 00010 00020 00100 01000 10000
000000 000001 000100
"""
"""Layer by layer, as in the authors' code: digit d at place i = the d-th best child at depth i + 1."""


@dataclass(frozen=True, slots=True)
class Template:
    """A tree's shape. Node order: the chain of best children first, then breadth first.

    Attributes:
        parents: int32, shape (n,), ROOT for the first layer.
        ranks: int32, shape (n,); which of its parent's candidates a node is.
        layers: node indices of each depth; every node once.
    """

    parents: NDArray[np.int32]
    ranks: NDArray[np.int32]
    layers: tuple[NDArray[np.intp], ...]


def make_template(paths: list[str]) -> Template:
    """Build a template from paths of child ranks given layer by layer (breadth first)."""
    chain = sorted((path for path in paths if set(path) == {"0"}), key=len)
    order = chain + [path for path in paths if set(path) != {"0"}]
    index = {path: node for node, path in enumerate(order)}
    parents = [index[path[:-1]] if len(path) > 1 else ROOT for path in order]
    depths = np.array([len(path) for path in order])
    return Template(
        parents=np.array(parents, np.int32),
        ranks=np.array([int(path[-1]) for path in order], np.int32),
        layers=tuple(np.flatnonzero(depths == depth) for depth in range(1, depths.max() + 1)),
    )


@cache
def paper_template() -> Template:
    """The 80-node template of the paper."""
    return make_template(PAPER_PATHS.split())


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
