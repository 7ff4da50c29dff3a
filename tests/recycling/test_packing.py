"""Candidates in one number each, and rows of them mixed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.recycling.packing import mixed_row, mixed_rows, pack, probability, quantise


def test_probabilities_survive_eight_bits():
    for p in (1.0, 0.9, 0.5, 0.1, 0.01, 0.0001):
        step = int(quantise(np.array([np.log(p)], np.float32))[0])
        assert 1 <= step <= 255
        assert probability(step) == pytest.approx(p, rel=0.03)
    assert quantise(np.array([-200.0], np.float32))[0] == 1  # never 0, which would mean "no candidate"


def test_token_zero_and_the_largest_ids_can_be_packed():
    tokens, shares = np.array([0, 262_143], np.int32), np.array([-0.1, -3.0], np.float32)
    assert [value >> 8 for value in pack(tokens, shares).tolist()] == [0, 262_143]
    assert all(pack(tokens, shares))


def chances(row):
    return {value >> 8: probability(value & 255) for value in row if value}


def test_chances_of_a_token_add_up_by_weight():
    old = pack(np.array([1, 2]), np.log(np.array([0.8, 0.2], np.float32))).tolist()
    new = pack(np.array([2, 3]), np.log(np.array([0.6, 0.4], np.float32))).tolist()
    row = mixed_row(old, [new], 0.5, 3)
    assert [value >> 8 for value in row][:2] == [1, 2] or chances(row)[1] == chances(row)[2]
    assert chances(row) == pytest.approx({1: 0.4, 2: 0.4, 3: 0.2}, rel=0.05)
    assert mixed_row(old, [new, new], 0.0, 3) == [*new, 0]


@st.composite
def groups(draw):
    """Old rows with weights, and for each of them one to three new rows."""
    row = st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 255)), max_size=4, unique_by=lambda each: each[0]
    )
    packed = row.map(lambda found: ([token << 8 | step for token, step in found] + [0] * 4)[:4])
    old = draw(st.lists(packed, min_size=1, max_size=5))
    kept = draw(st.lists(st.sampled_from([0.0, 0.2, 0.6]), min_size=len(old), max_size=len(old)))
    new = draw(st.lists(st.lists(packed, min_size=1, max_size=3), min_size=len(old), max_size=len(old)))
    return old, kept, new


@given(groups())
def test_one_row_at_a_time_and_all_at_once_are_mixed_alike(drawn):
    old, kept, new = drawn
    group = np.repeat(np.arange(len(new)), [len(rows) for rows in new])
    weights = np.array([(1 - kept[number]) / len(new[number]) for number in group])
    many = mixed_rows(
        np.array(old, np.uint32),
        np.array([row for rows in new for row in rows], np.uint32),
        group,
        np.array(kept),
        weights,
    )
    for number, rows in enumerate(new):
        one = [probability(value & 255) for value in mixed_row(old[number], rows, kept[number], 4)]
        # Which of two as likely tokens comes first, or still fits, may differ.
        assert [probability(value & 255) for value in many[number].tolist()] == pytest.approx(one, rel=0.05)
