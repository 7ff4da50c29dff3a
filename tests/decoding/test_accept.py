import numpy as np

from trchat.decoding.accept import accept
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

#        root
#      5  |   6        nodes 0 and 4
#     / \      \
#    7   8      7      nodes 1, 3, 5
#    |
#    9                 node 2
TREE = DraftTree(np.array([5, 7, 9, 8, 6, 7], np.int32), np.array([ROOT, 0, 1, 0, ROOT, 4], np.int32))


def choices(*by_row):
    """A sampler that chooses ``by_row[row]`` and remembers which rows it was asked for."""
    asked = []

    def sample(row):
        asked.append(row)
        return by_row[row]

    return sample, asked


def test_follows_the_models_choices_to_the_end_and_adds_its_next_token():
    sample, asked = choices(5, 7, 9, 11, 0, 0, 0)
    assert accept(TREE, sample, (), 99) == ((0, 1, 2), (5, 7, 9, 11))
    assert asked == [0, 1, 2, 3]


def test_takes_the_branch_that_is_right_not_the_first_or_longest():
    sample, _ = choices(6, 1, 1, 1, 1, 7, 3)
    assert accept(TREE, sample, (), 99) == ((4, 5), (6, 7, 3))


def test_nothing_right_still_brings_one_token():
    sample, asked = choices(1, 0, 0, 0, 0, 0, 0)
    assert accept(TREE, sample, (), 99) == ((), (1,))
    assert asked == [0]


def test_the_empty_draft_is_plain_decoding():
    sample, _ = choices(3)
    assert accept(EMPTY_TREE, sample, (), 99) == ((), (3,))


def test_stops_at_the_end_of_generation_even_inside_the_tree():
    sample, asked = choices(5, 7, 9, 11, 0, 0, 0)
    assert accept(TREE, sample, {7}, 99) == ((0, 1), (5, 7))
    assert asked == [0, 1]


def test_stops_at_the_limit_without_sampling_further():
    sample, asked = choices(5, 7, 9, 11, 0, 0, 0)
    assert accept(TREE, sample, (), 2) == ((0, 1), (5, 7))
    assert asked == [0, 1]


def test_of_equal_siblings_the_first_is_followed():
    twins = DraftTree(np.array([5, 5, 6], np.int32), np.array([ROOT, ROOT, 0], np.int32))
    sample, _ = choices(5, 6, 0, 2)
    assert accept(twins, sample, (), 99) == ((0, 2), (5, 6, 2))
