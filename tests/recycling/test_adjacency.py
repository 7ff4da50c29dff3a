"""The paper's matrix: one row of successors a token, overwritten by what is newer."""

import numpy as np
import pytest

from trchat.recycling.adjacency import EMPTY, AdjacencyMatrix, make_template, paper_template
from trchat.recycling.tree import ROOT, DraftTree


def test_a_new_matrix_drafts_nothing():
    matrix = AdjacencyMatrix(n_vocab=100)
    assert matrix.rows_learned == 0
    assert len(matrix.grow(5, paper_template())) == 0


def test_breadth_first_fill_by_hand():
    # 1 -> 2, 3   2 -> 4, 1   3 -> 5 (one candidate)   4 -> 2, 2
    matrix = AdjacencyMatrix(n_vocab=6, k=2)
    matrix.update(np.array([1, 2, 3, 4]), np.array([[2, 3], [4, 1], [5, EMPTY], [2, 2]]))
    tree = matrix.grow(1, make_template(["0", "1", "00", "01", "10", "11", "000", "010", "100"]))
    # Order: the chain 0, 00, 000, then 1, 01, 10, (11 has no candidate), 010, (100: token 5 has no row).
    assert tree.tokens.tolist() == [2, 4, 2, 3, 1, 5, 2]
    assert tree.parents.tolist() == [ROOT, 0, 1, ROOT, 0, 3, 4]


def test_token_zero_is_a_token_like_any_other():
    matrix = AdjacencyMatrix(n_vocab=3, k=1)
    matrix.update(np.array([2, 0]), np.array([[0], [1]]))
    assert matrix.grow(2, make_template(["0", "00"])).tokens.tolist() == [0, 1]


def test_of_a_repeated_token_the_last_row_counts():
    matrix = AdjacencyMatrix(n_vocab=10, k=2)
    matrix.update(np.array([7, 3, 7, 7]), np.array([[1, 2], [3, 4], [5, 6], [8, 9]]))
    assert matrix.candidates[7].tolist() == [8, 9]
    assert matrix.candidates[3].tolist() == [3, 4]
    assert matrix.rows_learned == 2


@pytest.mark.parametrize(("n_vocab", "k"), [(9, 8), (1000, 4), (32_000, 8), (262_144, 2)])
def test_any_vocabulary_and_any_k(n_vocab, k):
    random = np.random.default_rng(2)
    matrix = AdjacencyMatrix(n_vocab, k)
    tokens = random.integers(0, n_vocab, 500)
    matrix.update(tokens, random.integers(0, n_vocab, (500, k)))
    template = make_template([str(rank) for rank in range(k)] + ["00", "01"])
    tree = matrix.grow(int(tokens[-1]), template)
    assert k <= len(tree) <= k + 2
    assert tree.tokens[tree.parents == ROOT].tolist() == matrix.candidates[tokens[-1]].tolist()


def test_the_papers_layers_and_leaves():
    template = paper_template()
    assert [len(layer) for layer in template.layers] == [8, 21, 25, 15, 8, 3]
    shape = DraftTree(template.ranks, template.parents)
    assert len(shape) == 80
    assert len(shape.paths) == 40


def test_the_chain_of_best_children_leads():
    template = paper_template()
    assert DraftTree(template.ranks, template.parents).chain == 6
    assert template.ranks[:6].tolist() == [0] * 6


def test_a_node_is_one_deeper_than_its_parent_and_siblings_differ_in_rank():
    template = paper_template()
    depth = {node: depth for depth, layer in enumerate(template.layers, 1) for node in layer.tolist()}
    for node, parent in enumerate(template.parents.tolist()):
        assert depth[node] == (1 if parent == ROOT else depth[parent] + 1)
    assert len(set(zip(template.parents.tolist(), template.ranks.tolist(), strict=True))) == 80


def test_sorting_by_depth_restores_the_breadth_first_order_of_the_paths():
    paths = ["0", "1", "00", "01", "10", "000", "010"]
    template = make_template(paths)
    tree = DraftTree(template.ranks, template.parents)
    breadth_first = np.argsort(tree.depths, kind="stable")

    def path(node):
        parent = template.parents[node]
        return ("" if parent == ROOT else path(parent)) + str(template.ranks[node])

    assert [path(node) for node in breadth_first] == paths
