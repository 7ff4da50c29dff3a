import numpy as np
import pytest

from trchat.recycling.topk import top_k


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
