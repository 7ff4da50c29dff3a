"""Candidates in one number each, and rows of them mixed."""

import numpy as np
import pytest

from trchat.recycling.packing import mixed_row, pack, probability, quantise


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
