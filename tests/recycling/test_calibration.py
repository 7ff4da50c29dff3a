import numpy as np
import pytest

from trchat.recycling.calibration import Calibration
from trchat.recycling.kinds import (
    N_KINDS,
    ONE,
    PRIORS,
    SIBLING,
    SIZES,
    SUFFIX,
    TWO,
    main_source,
    other_suffix_level,
    row_levels,
    sibling_level,
    suffix_level,
)


def feed(calibration, kind, rate, n, random):
    for _ in range(n):
        calibration.learn(np.array([kind], np.intp), random.random(1) < rate)


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_rates_converge_on_simulated_hits(rate):
    calibration, kind = Calibration(), 3 * ONE + 2 * SUFFIX
    feed(calibration, kind, rate, 3000, np.random.default_rng(1))
    assert calibration.rates[kind] == pytest.approx(rate, abs=0.05)


def test_kinds_that_share_a_source_learn_from_one_another():
    calibration = Calibration()
    met, related, unrelated = 4 * TWO, 4 * TWO + 1 * ONE, 5 * SUFFIX
    before = [calibration.rates[kind] for kind in (related, unrelated)]
    feed(calibration, met, 0.95, 600, np.random.default_rng(2))
    calibration.refresh()
    assert calibration.rates[related] > before[0] + 0.1
    assert calibration.rates[unrelated] == pytest.approx(before[1], abs=0.02)


def test_sources_that_agree_are_trusted_more_from_the_start():
    rates = Calibration().rates
    alone, other = rates[4 * ONE], rates[3 * SUFFIX]
    assert rates[4 * ONE + 3 * SUFFIX] > max(alone, other) > 0


def test_better_evidence_means_a_higher_rate_from_the_start():
    rates = Calibration().rates
    for stride in (ONE, TWO):
        levels = [rates[level * stride] for level in range(1, 7)]
        assert levels == sorted(levels)
    lengths = [rates[level * SUFFIX] for level in range(1, 8)]
    assert lengths == sorted(lengths)


def test_all_rates_are_probabilities_whatever_was_learned():
    calibration, random = Calibration(), np.random.default_rng(3)
    for _ in range(400):
        kinds = random.integers(1, N_KINDS, 60)
        calibration.learn(kinds, random.random(60) < 0.5)
    rates = np.array(calibration.rates)
    assert np.isfinite(rates).all()
    assert (rates[1:] > 0).all()
    assert (rates < 1).all()


def test_the_past_fades_so_that_a_change_is_followed():
    calibration, kind, random = Calibration(), 2 * TWO, np.random.default_rng(4)
    feed(calibration, kind, 0.9, 8000, random)
    feed(calibration, kind, 0.1, 6000, random)
    assert calibration.rates[kind] < 0.35


def test_levels_grow_with_what_they_measure():
    rows = row_levels()
    assert rows[0] == 0
    assert rows[1:] == sorted(rows[1:])
    assert set(rows) == set(range(SIZES[0]))
    lengths = [suffix_level(length) for length in range(1, 40)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (1, 7)
    assert [other_suffix_level(length) for length in (1, 3, 4, 40)] == [8, 8, 9, 9]
    assert [sibling_level(weight) for weight in (0.0, 0.05, 0.2, 5.0)] == [0, 1, 2, 3]
    assert tuple(map(len, PRIORS)) == SIZES
    assert SIBLING * SIZES[-1] == N_KINDS


def test_nothing_to_learn_changes_nothing():
    calibration = Calibration()
    before = list(calibration.rates)
    calibration.learn(np.zeros(0, np.intp), np.zeros(0, bool))
    assert list(calibration.rates) == before


def test_the_surest_source_names_a_kind():
    assert main_source(3 * ONE) == "1-token rows"
    assert main_source(3 * ONE + 6 * TWO) == "2-token rows"
    assert main_source(6 * ONE + 7 * SUFFIX) == "suffix"
    assert main_source(1 * SIBLING) == "siblings"
