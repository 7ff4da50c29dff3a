"""The simple drafters: none, prompt lookup, and Token Recycling as published."""

import numpy as np

from trchat.recycling.adjacency import AdjacencyMatrix, make_template
from trchat.recycling.drafter import LookupDrafter, NoDrafter, RecyclingDrafter, Verified
from trchat.recycling.tree import EMPTY_TREE

N_VOCAB = 12


def rows(*best):
    """Logits whose likeliest tokens are, in order, the given ones."""
    logits = np.zeros((len(best), N_VOCAB), np.float32)
    for row, tokens in enumerate(best):
        for rank, token in enumerate(tokens):
            logits[row, token] = 100 - rank
    return logits


def test_no_drafter_drafts_nothing():
    drafter = NoDrafter()
    drafter.begin([1, 2, 1])
    assert len(drafter.draft(80)) == 0
    assert drafter.rows_learned == 0


def test_lookup_copies_what_followed_and_reads_its_own_answer():
    drafter = LookupDrafter(n_tokens=3)
    drafter.begin([1, 2, 3, 4, 1])
    assert drafter.draft(80).tokens.tolist() == [2, 3, 4]
    assert drafter.draft(2).tokens.tolist() == [2, 3]
    drafter.learn(Verified(1, EMPTY_TREE, np.zeros((1, N_VOCAB)), (), (9, 1)))
    drafter.learn(Verified(1, EMPTY_TREE, np.zeros((1, N_VOCAB)), (), (9,)))
    assert drafter.draft(80).tokens.tolist() == [1, 9]


def test_recycling_learns_the_top_candidates_of_accepted_and_rejected_rows():
    matrix = AdjacencyMatrix(N_VOCAB, k=2)
    drafter = RecyclingDrafter(matrix, make_template(["0", "1", "00"]))
    drafter.begin([7])
    assert len(drafter.draft(80)) == 0

    drafter.learn(Verified(7, EMPTY_TREE, rows([8, 9]), (), (8,)))
    assert matrix.candidates[7].tolist() == [8, 9]
    drafter.begin([7])
    tree = drafter.draft(80)
    assert tree.tokens.tolist() == [8, 9]

    drafter.learn(Verified(7, tree, rows([9, 8], [1, 2], [3, 4]), (1,), (9, 3)))
    assert matrix.candidates[7].tolist() == [9, 8]
    assert matrix.candidates[8].tolist() == [1, 2]  # rejected, recycled all the same
    assert matrix.candidates[9].tolist() == [3, 4]
    assert drafter.rows_learned == 3


def test_of_a_token_that_occurs_twice_the_later_in_breadth_first_order_is_kept():
    matrix = AdjacencyMatrix(N_VOCAB, k=1)
    matrix.update(np.array([1, 2]), np.array([[2], [3]]))
    drafter = RecyclingDrafter(matrix, make_template(["0", "00"]))
    drafter.begin([1])
    tree = drafter.draft(80)
    assert tree.tokens.tolist() == [2, 3]
    # Root 1 and, as if by a longer way, token 3 occur; node 3's row comes last.
    matrix.update(np.array([2]), np.array([[1]]))
    tree = drafter.draft(80)
    assert tree.tokens.tolist() == [2, 1]
    drafter.learn(Verified(1, tree, rows([4], [5], [6]), (), (4,)))
    assert matrix.candidates[1].tolist() == [6]


def test_the_draft_never_exceeds_the_room():
    matrix = AdjacencyMatrix(N_VOCAB)
    matrix.candidates[:] = np.arange(8)
    drafter = RecyclingDrafter(matrix)
    drafter.begin([3])
    for room in (1, 2, 7, 79, 80, 500):
        assert len(drafter.draft(room)) == min(room, 80)
