"""Draft trees of any shape, for hypothesis."""

import numpy as np
from hypothesis import strategies as st

from trchat.recycling.tree import ROOT, DraftTree


@st.composite
def draft_trees(draw, most=24, vocabulary=4):
    """A tree of up to ``most`` nodes; few tokens, so that siblings may be equal and guesses come true."""
    size = draw(st.integers(0, most))
    tokens = draw(st.lists(st.integers(0, vocabulary - 1), min_size=size, max_size=size))
    parents = [draw(st.integers(ROOT, node - 1)) for node in range(size)]
    return DraftTree(np.array(tokens, np.int32), np.array(parents, np.int32))


def path_to(tree, node):
    """Nodes from the first layer down to ``node``; none for ROOT."""
    path = []
    while node != ROOT:
        path.insert(0, node)
        node = int(tree.parents[node])
    return path
