"""The largest few of a long row, exactly, whichever way is taken."""

import numpy as np
import pytest

from trchat.recycling import topk
from trchat.recycling.topk import top_k, top_k_and_mass

pytestmark = pytest.mark.usefixtures("either_way")


def by_sorting(rows, k):
    return np.array([np.lexsort((np.arange(len(row)), -row))[:k] for row in rows])


@pytest.mark.parametrize("width", [8, 9, 63, 64, 65, 511, 512, 2049, 4097, 32_000, 49_152, 50_257])
def test_equals_a_plain_sort(width):
    rows = np.random.default_rng(width).standard_normal((5, width)).astype(np.float32)
    assert (top_k(rows, 8) == by_sorting(rows, 8)).all()


@pytest.mark.parametrize("width", [600, 2112, 4099, 6001])
@pytest.mark.parametrize("levels", [1, 2, 5, 50])
def test_ties_go_to_the_lowest_index(width, levels):
    rows = np.random.default_rng(levels).integers(0, levels, (20, width)).astype(np.float32)
    assert (top_k(rows, 8) == by_sorting(rows, 8)).all()


@pytest.mark.parametrize("k", [1, 2, 8, 16])
def test_other_k(k):
    rows = np.random.default_rng(k).standard_normal((3, 5003)).astype(np.float32)
    assert (top_k(rows, k) == by_sorting(rows, k)).all()


def test_the_best_may_sit_in_one_group_or_in_the_tail():
    width = 64 * 100 + 17
    rows = np.zeros((2, width), np.float32)
    rows[0, 3::100] = np.arange(65)  # all in the third group, and one in the tail
    rows[1, -8:] = np.arange(8, 0, -1)
    assert (top_k(rows, 8) == by_sorting(rows, 8)).all()


def test_masked_logits_of_minus_infinity():
    rows = np.full((1, 6400), -np.inf, np.float32)
    rows[0, [5000, 17]] = 1.0
    assert top_k(rows, 4).tolist() == [[17, 5000, 0, 1]]


@pytest.mark.parametrize("width", [512, 2112, 6417, 49_152])
def test_few_rows_and_many_agree_on_all_three_results(width):
    rows = np.random.default_rng(width).standard_normal((9, width)).astype(np.float32) * 3
    together = top_k_and_mass(rows, 8)
    for number in range(len(rows)):
        alone = top_k_and_mass(rows[number : number + 1], 8)
        assert (alone[0][0] == together[0][number]).all()
        assert (alone[1][0] == together[1][number]).all()
        assert alone[2][0] == pytest.approx(together[2][number], rel=1e-5)


def test_the_mass_is_close_to_the_true_log_sum_and_never_above():
    rows = np.random.default_rng(1).standard_normal((6, 49_152)).astype(np.float32) * 4
    _, values, mass = top_k_and_mass(rows, 8)
    true = np.log(np.exp(rows.astype(np.float64)).sum(axis=1))
    assert (mass <= true + 1e-4).all()
    assert (mass >= values[:, 0]).all()
    assert (mass > true - 1.0).all()


def test_rows_that_change_while_they_are_searched_break_nothing(in_python, monkeypatch):
    """As a GPU changes them that is done with the next step: what is found is that of some moment."""
    rows = np.random.default_rng(3).standard_normal((4, 5003)).astype(np.float32)
    expected = top_k(rows.copy(), 8)
    search = topk._by_groups

    def late(searched, k):
        rows[:] = 0
        return search(searched, k)

    monkeypatch.setattr(topk, "_by_groups", late)
    assert (top_k_and_mass(rows, 8, changing=True)[0] == expected).all()
