"""The paper's static tree of 80 nodes."""

import numpy as np

from trchat.recycling.template import make_template, paper_template
from trchat.recycling.tree import ROOT, DraftTree


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
