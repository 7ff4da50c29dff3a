"""Draft trees: chains, depths, leaves, and who is on the path to whom."""

import numpy as np
import pytest
from hypothesis import given

from tests.recycling.trees import draft_trees, path_to
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree, chain_tree


def tree(tokens, parents):
    return DraftTree(np.array(tokens, np.int32), np.array(parents, np.int32))


#       root
#      /    \
#     10     20
#    /  \      \
#   11   13    21      chain: 10, 11, 12
#   |
#   12
BRANCHED = tree([10, 11, 12, 13, 20, 21], [ROOT, 0, 1, 0, ROOT, 4])


def test_the_chain_is_the_leading_run_of_nodes_each_below_the_one_before():
    assert BRANCHED.chain == 3
    assert chain_tree(np.array([1, 2, 3])).chain == 3
    assert tree([1, 2], [ROOT, ROOT]).chain == 1
    assert EMPTY_TREE.chain == 0


def test_depths_count_from_the_root():
    assert BRANCHED.depths == [1, 2, 3, 2, 1, 2]


def test_paths_lead_to_the_leaves_and_the_chains_comes_first():
    assert BRANCHED.paths == [[0, 1, 2], [0, 3], [4, 5]]
    # The chain ends in a node that branches later on: the leaf below it still is the first one.
    late = tree([1, 2, 3, 4], [ROOT, ROOT, 1, 0])
    assert late.chain == 1
    assert late.paths == [[0, 3], [1, 2]]
    assert EMPTY_TREE.paths == []


@pytest.mark.parametrize("n_nodes", range(8))
def test_first_nodes_are_a_tree_of_their_own(n_nodes):
    part = BRANCHED.first(n_nodes)
    assert len(part) == min(n_nodes, 6)
    assert (part.parents < np.arange(len(part))).all()


@given(draft_trees())
def test_there_is_one_path_to_every_leaf(grown):
    """What tree attention rests on: one sequence a leaf, and every node in those of all leaves below it."""
    leaves = set(range(len(grown))).difference(grown.parents.tolist())
    assert sorted(path[-1] for path in grown.paths) == sorted(leaves)
    assert grown.paths == [path_to(grown, path[-1]) for path in grown.paths]
    assert grown.depths == [len(path_to(grown, node)) for node in range(len(grown))]


@given(draft_trees())
def test_the_chain_is_a_path_and_its_leaf_comes_first(grown):
    chain = list(range(grown.chain))
    assert path_to(grown, grown.chain - 1) == chain
    if grown.chain < len(grown):
        assert grown.parents[grown.chain] != grown.chain - 1
    if chain:
        assert grown.paths[0][: grown.chain] == chain


def test_the_first_nodes_with_no_more_than_so_many_leaves():
    whole = tree([1, 2, 3, 4, 5, 6], [ROOT, 0, ROOT, 1, 0, 2])  # leaves: 3, 4, 5
    assert [len(whole.with_leaves(most)) for most in (0, 1, 2, 3, 4)] == [0, 2, 4, 6, 6]
    assert len(whole.first(-1)) == 0
