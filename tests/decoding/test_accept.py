"""Verification: which part of a draft the model itself would have written."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.recycling.trees import draft_trees, path_to
from trchat.decoding.accept import accept, never
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
    assert accept(TREE, sample, never, 99) == ((0, 1, 2), (5, 7, 9, 11), False)
    assert asked == [0, 1, 2, 3]


def test_takes_the_branch_that_is_right_not_the_first_or_longest():
    sample, _ = choices(6, 1, 1, 1, 1, 7, 3)
    assert accept(TREE, sample, never, 99) == ((4, 5), (6, 7, 3), False)


def test_nothing_right_still_brings_one_token():
    sample, asked = choices(1, 0, 0, 0, 0, 0, 0)
    assert accept(TREE, sample, never, 99) == ((), (1,), False)
    assert asked == [0]


def test_the_empty_draft_is_plain_decoding():
    sample, _ = choices(3)
    assert accept(EMPTY_TREE, sample, never, 99) == ((), (3,), False)


def test_stops_at_the_end_of_generation_even_inside_the_tree():
    sample, asked = choices(5, 7, 9, 11, 0, 0, 0)
    assert accept(TREE, sample, {7}.__contains__, 99) == ((0, 1), (5, 7), True)
    assert asked == [0, 1]


def test_stops_at_the_limit_without_sampling_further():
    sample, asked = choices(5, 7, 9, 11, 0, 0, 0)
    assert accept(TREE, sample, never, 2) == ((0, 1), (5, 7), False)
    assert asked == [0, 1]


def test_of_equal_siblings_the_first_is_followed():
    twins = DraftTree(np.array([5, 5, 6], np.int32), np.array([ROOT, ROOT, 0], np.int32))
    sample, _ = choices(5, 6, 0, 2)
    assert accept(twins, sample, never, 99) == ((0, 2), (5, 6, 2), False)


def model_choice(text):
    """A model of four tokens: what it says next depends on all that was said."""
    return sum((place + 1) * (token + 1) for place, token in enumerate(text)) * 7 % 11 % 4


@given(draft_trees(), st.lists(st.integers(0, 3), max_size=4), st.sets(st.integers(0, 3)), st.integers(1, 9))
def test_whatever_is_drafted_the_text_is_the_models_own(tree, said, end_tokens, limit):
    """Each emitted token is the model's choice after all before it, sampled once, in order; none is left."""
    asked = []

    def sample(row):
        asked.append(row)
        return model_choice([*said, *tree.tokens[path_to(tree, row - 1)].tolist()])

    read = []

    def ends(token):
        read.append(token)
        return token in end_tokens

    accepted, emitted, ended = accept(tree, sample, ends, limit)
    text = list(said)
    assert read == list(emitted) and ended == (emitted[-1] in end_tokens)
    for token in emitted:
        assert token == model_choice(text)
        text.append(token)
    assert len(asked) == len(emitted) <= limit
    # The accepted nodes are one path down from the root, and say what was emitted.
    assert list(accepted) == (path_to(tree, accepted[-1]) if accepted else [])
    assert tree.tokens[list(accepted)].tolist() == list(emitted[: len(accepted)])
    # It ended for a reason: the limit, an end of generation, or a choice that nobody had drafted.
    last = accepted[-1] if len(accepted) == len(emitted) else None
    assert last is None or len(emitted) == limit or emitted[-1] in end_tokens
    if last is None:
        under = accepted[-1] if accepted else ROOT
        assert emitted[-1] not in tree.tokens[tree.parents == under]
    assert not set(emitted[:-1]) & end_tokens


@given(draft_trees(), st.integers(1, 9), st.integers(2, 4))
def test_what_a_grammar_forces_is_the_same_with_and_without_a_draft(tree, limit, every):
    """Behind each choice of the model, some tokens that nobody is asked about."""

    def write(tree, limit):
        text, asked = [], []

        def sample(row):
            asked.append(row)
            text.append(model_choice(text))
            return text[-1]

        def forced():
            tokens = [len(text) % 3] * (len(text) % every)
            text.extend(tokens)
            return tokens

        return *accept(tree, sample, never, limit, forced), asked

    path, emitted, _ended, asked = write(tree, limit)
    alone = write(EMPTY_TREE, limit)[1]
    assert emitted[: len(alone)] == alone
    assert tree.tokens[list(path)].tolist() == list(emitted[: len(path)])
    assert list(path) == (path_to(tree, path[-1]) if path else [])
    assert all(row == 0 or row - 1 in path for row in asked), "only rows of accepted nodes are looked at"
