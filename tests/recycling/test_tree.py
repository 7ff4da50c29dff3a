import numpy as np
import pytest

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


def test_the_chain_is_the_leading_run_of_only_children():
    assert BRANCHED.chain == 3
    assert chain_tree(np.array([1, 2, 3])).chain == 3
    assert tree([1, 2], [ROOT, ROOT]).chain == 1
    assert EMPTY_TREE.chain == 0


def test_depths_count_from_the_root():
    assert BRANCHED.depths.tolist() == [1, 2, 3, 2, 1, 2]


def test_the_chains_leaf_comes_first():
    assert BRANCHED.leaves.tolist() == [2, 3, 5]
    # The chain ends in a node that branches later on: the leaf below it still is the first one.
    late = tree([1, 2, 3, 4], [ROOT, ROOT, 1, 0])
    assert late.chain == 1
    assert late.leaves.tolist() == [3, 2]


def test_members_are_the_paths_to_the_leaves():
    paths = [np.flatnonzero(column).tolist() for column in BRANCHED.members.T]
    assert paths == [[0, 1, 2], [0, 3], [4, 5]]


@pytest.mark.parametrize("n_nodes", range(8))
def test_first_nodes_are_a_tree_of_their_own(n_nodes):
    part = BRANCHED.first(n_nodes)
    assert len(part) == min(n_nodes, 6)
    assert (part.parents < np.arange(len(part))).all()


def test_every_node_is_on_the_path_to_some_leaf_in_random_trees():
    random = np.random.default_rng(1)
    for _ in range(100):
        n = int(random.integers(1, 40))
        grown = tree(random.integers(0, 99, n), [int(random.integers(-1, node)) for node in range(n)])
        assert grown.members.any(axis=1).all()
        assert (grown.members.sum(axis=0) == grown.depths[grown.leaves]).all()
        assert grown.members[: grown.chain, 0].all()
