"""Chains copied from earlier in the text, while the rest of drafting sleeps."""

import numpy as np
import pytest

from trchat.recycling.copying import Copying
from trchat.recycling.drafter import Verified
from trchat.recycling.fixed_costs import FixedCosts
from trchat.recycling.suffix import SuffixIndex
from trchat.recycling.tree import ROOT

NO_LOGITS = np.zeros((0, 0), np.float32)
ONCE = list(range(20, 50))


def costs(change_ms=0.0):
    """Every further token of a batch costs half of the first."""
    found = FixedCosts({width: 5.0 + 5.0 * width for width in (1, 2, 4, 8, 16, 32, 64)}, change_ms)
    found.plain_ms = 10.0
    return found


def text(*tokens):
    index = SuffixIndex()
    index.extend(tokens)
    return index


def sure(copying, index):
    """See many copies come true, after as long a match."""
    for _ in range(100):
        tree = copying.draft(index, 63)
        copying.learn(Verified(49, tree, NO_LOGITS, tuple(range(len(tree))), (1,), 1 + len(tree)))
    return copying


def test_what_stood_there_before_is_copied_as_far_as_it_pays():
    tree = Copying(costs()).draft(text(*ONCE, 7, *ONCE[:12]), 63)
    assert 2 <= len(tree) < 20
    assert tree.tokens.tolist() == ONCE[12 : 12 + len(tree)]
    assert tree.parents.tolist() == list(range(ROOT, len(tree) - 1))
    assert tree.sources == ["suffix"] * len(tree)
    index = text(*ONCE, 7, *ONCE[:12])
    assert len(sure(Copying(costs()), index).draft(index, 63)) > len(tree)


def test_a_loop_is_copied_round_and_round():
    index = text(*[1, 2, 3] * 6)
    tree = sure(Copying(costs()), index).draft(index, 63)
    assert len(tree) > 6
    assert tree.tokens.tolist() == ([1, 2, 3] * 30)[: len(tree)]


def test_the_longer_the_match_the_longer_the_copy():
    copying = Copying(costs())
    lengths = [len(copying.draft(text(*ONCE, 7, *ONCE[:n]), 63)) for n in (4, 8, 24)]
    assert lengths[0] == 0 < lengths[1] < lengths[2]


def test_short_matches_and_new_words_are_not_copied():
    assert len(Copying(costs()).draft(text(*ONCE, 7, *ONCE[3:7]), 63)) == 0
    assert len(Copying(costs()).draft(text(*ONCE), 63)) == 0


@pytest.mark.parametrize("room", [0, 1, 5])
def test_never_longer_than_there_is_room(room):
    index = text(*ONCE, *ONCE)
    assert len(sure(Copying(costs()), index).draft(index, room)) <= room


def test_copies_that_are_wrong_are_given_up_and_come_back():
    copying, index = Copying(costs()), text(*ONCE, *ONCE)

    def tell(right, times):
        for _ in range(times):
            tree = copying.draft(index, 63)
            path = tuple(range(len(tree))) if right else ()
            said = index.tokens[30] if right else 7
            copying.learn(Verified(49, tree, NO_LOGITS, path, (said,), 1 + len(tree)))
        return len(copying.draft(index, 63))

    assert tell(right=False, times=60) == 0
    assert tell(right=True, times=100) > 0  # seen without a draft


def test_a_dear_change_of_width_must_be_repaid():
    index = text(*ONCE, *ONCE)
    assert len(Copying(costs()).draft(index, 63)) > 0
    assert len(Copying(costs(change_ms=40.0)).draft(index, 63)) == 0


def test_without_a_plain_step_to_compare_with_nothing_is_copied():
    unknown = costs()
    unknown.plain_ms = None
    assert len(Copying(unknown).draft(text(*ONCE, *ONCE), 63)) == 0
