"""Hit rates: learned per source and level, mixed for guesses on which several sources agree."""

import numpy as np
import pytest

from trchat.recycling import calibration as calibration_module
from trchat.recycling.calibration import (
    ALONE,
    FILLER,
    GAP,
    OPPOSED,
    PRIORS,
    RECENT,
    ROWS1,
    ROWS2,
    SIZES,
    SOURCES,
    STRIDES,
    SUFFIX,
    UNITED,
    Calibration,
    levels,
    levels_and_sets,
    main_source,
    other_suffix_level,
    passed_over_level,
    recent_level,
    row_levels,
    suffix_level,
)

pytestmark = pytest.mark.usefixtures("either_way")


def kind(**by_source):
    names = {"rows1": ROWS1, "rows2": ROWS2, "gap": GAP, "suffix": SUFFIX, "recent": RECENT}
    return sum(level * STRIDES[names[name]] for name, level in by_source.items())


def feed(calibration, fed, rate, n, random, at_once=8):
    """Label guesses of one kind; returns the mean of its rate over the second half."""
    rates = []
    for _ in range(n // at_once):
        calibration.learn(np.full(at_once, fed, np.intp), random.random(at_once) < rate)
        rates.append(calibration.rates[fed])
    return float(np.mean(rates[len(rates) // 2 :]))


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_rates_converge_on_simulated_hits(rate):
    calibration, met = Calibration(), kind(rows1=3, suffix=2)
    mean = feed(calibration, met, rate, 3000, np.random.default_rng(1))
    assert mean == pytest.approx(rate, abs=0.03)
    assert calibration.rates[met] == pytest.approx(rate, abs=0.08)  # it goes on learning, so it never rests


def test_rates_of_many_kinds_converge_together():
    random, calibration = np.random.default_rng(5), Calibration()
    true = {kind(rows1=2): 0.04, kind(rows1=5): 0.5, kind(rows1=5, rows2=5): 0.7, kind(suffix=3): 0.3}
    met = np.array(list(true), np.intp)
    for _ in range(1500):
        some = random.integers(0, len(met), 16)
        calibration.learn(met[some], random.random(16) < np.array(list(true.values()))[some])
    for each, rate in true.items():
        assert calibration.rates[each] == pytest.approx(rate, abs=0.06)


def test_kinds_that_share_a_source_learn_from_one_another():
    calibration = Calibration()
    met, related, unrelated = kind(rows2=4), kind(rows1=1, rows2=4), kind(suffix=5)
    before = [calibration.rates[each] for each in (related, unrelated)]
    feed(calibration, met, 0.95, 600, np.random.default_rng(2))
    assert calibration.rates[related] > before[0] + 0.1
    assert calibration.rates[unrelated] == pytest.approx(before[1], abs=0.2)


def test_sources_that_agree_are_trusted_more_from_the_start():
    rates = Calibration().rates
    alone, other = rates[kind(rows1=4)], rates[kind(rows2=4)]
    assert rates[kind(rows1=4, rows2=4)] > max(alone, other) > 0


def test_better_evidence_means_a_higher_rate_from_the_start():
    rates = Calibration().rates
    for source in ("rows1", "rows2", "gap"):
        found = [rates[kind(**{source: level})] for level in range(1, 7)]
        assert found == sorted(found)
    lengths = [rates[kind(suffix=level)] for level in range(1, 8)]
    assert lengths == sorted(lengths)


def test_all_rates_are_probabilities_whatever_was_learned():
    calibration, random = Calibration(), np.random.default_rng(3)
    n_kinds = STRIDES[-1] * SIZES[-1]
    for _ in range(300):
        calibration.learn(random.integers(1, n_kinds, 60), random.random(60) < 0.5)
    rates = np.array([calibration.rates[each] for each in random.integers(1, n_kinds, 2000).tolist()])
    assert np.isfinite(rates).all()
    assert ((rates > 0) & (rates < 1)).all()


def test_the_past_fades_so_that_a_change_is_followed():
    calibration, met, random = Calibration(), kind(rows2=2), np.random.default_rng(4)
    feed(calibration, met, 0.9, 4000, random)
    feed(calibration, met, 0.1, 4000, random)
    assert calibration.rates[met] < 0.35


def test_levels_grow_with_what_they_measure():
    rows = row_levels()
    assert rows[0] == 0
    assert list(rows[1:]) == sorted(rows[1:])
    assert set(rows) == set(range(SIZES[ROWS1]))
    lengths = [suffix_level(length, ALONE) for length in range(1, 40)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (1, 7)
    assert [recent_level(weight) for weight in (0.02, 0.2, 0.5, 2.0)] == [1, 2, 3, 4]


def test_no_two_things_that_a_match_can_say_share_a_level():
    said = {suffix_level(length, others) for length in range(1, 40) for others in range(ALONE, OPPOSED + 1)}
    others = {other_suffix_level(length) for length in range(1, 40)}
    passed = {passed_over_level(length) for length in range(1, 40)}
    assert said | others | passed == set(range(1, SIZES[SUFFIX]))
    assert len(said) + len(others) + len(passed) == SIZES[SUFFIX] - 1


def test_a_kind_can_be_taken_apart_again():
    assert len(SOURCES) == len(PRIORS) == len(SIZES) == len(STRIDES)
    found = levels(kind(rows1=3, gap=6, suffix=suffix_level(9, UNITED), recent=2))
    assert found == [3, 0, 0, 6, suffix_level(9, UNITED), 2, 0]


def test_nothing_to_learn_changes_nothing():
    calibration, met = Calibration(), kind(rows1=3)
    before = calibration.rates[met]
    calibration.learn(np.zeros(0, np.intp), np.zeros(0, bool))
    assert calibration.rates[met] == before


def test_the_surest_source_names_a_kind():
    assert main_source(kind(rows1=3)) == "1-token rows"
    assert main_source(kind(rows1=3, rows2=6)) == "2-token rows"
    assert main_source(kind(rows1=6, suffix=7)) == "suffix"
    assert main_source(kind(gap=4, recent=1)) == "gap rows"


def test_what_nobody_guessed_is_called_nobodys():
    assert main_source(0) == FILLER
    assert FILLER not in SOURCES


def test_one_more_source_needs_no_other_change(monkeypatch):
    more = {"SOURCES": (*SOURCES, "new"), "PRIORS": (*PRIORS, (0.0, 0.5)), "SIZES": (*SIZES, 2)}
    more |= {"STRIDES": (*STRIDES, STRIDES[-1] * SIZES[-1]), "_N": len(SOURCES) + 1}
    for name, value in more.items():
        for module in (calibration_module, calibration_module):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    grown = Calibration()
    alone, all_agree = more["STRIDES"][-1], sum(more["STRIDES"])
    assert grown.rates[alone] == pytest.approx(0.5, abs=0.1)
    grown.learn(np.array([alone, all_agree]), np.array([True, False]))
    assert 0 < grown.rates[all_agree] < 1


N_KINDS = STRIDES[-1] * SIZES[-1]


def taught(random, met):
    calibration = Calibration()
    for kind in met:
        assert 0 < calibration.rates[kind] < 1
    for _ in range(5):
        calibration.learn(random.choice(met, 200), random.random(200) < 0.3)
    return calibration


def test_kept_rates_are_what_the_weights_now_say():
    random = np.random.default_rng(1)
    met = random.integers(0, N_KINDS, 300)
    calibration = taught(random, met.tolist())
    kept = dict(calibration.rates)
    untaught = Calibration()
    assert any(abs(untaught.rates[kind] - rate) > 0.01 for kind, rate in kept.items())
    calibration.rates.clear()
    assert [calibration.rates[kind] for kind in kept] == pytest.approx(list(kept.values()), rel=1e-5)


def test_only_so_many_kinds_are_kept(monkeypatch):
    random = np.random.default_rng(2)
    monkeypatch.setattr(calibration_module, "_MOST_KINDS", 50)
    met = random.choice(N_KINDS, 51, replace=False).tolist()
    assert len(taught(random, met).rates) == 0
    assert len(taught(random, met[:50]).rates) == 50


def test_levels_and_sets_take_a_kind_apart():
    levels, sets = levels_and_sets(np.array([0, 3 * STRIDES[1] + 2 * STRIDES[4]]))
    assert levels.T.tolist() == [[0] * len(SIZES), [0, 3, 0, 0, 2, 0, 0]]
    assert sets.tolist() == [0, 0b010010]
