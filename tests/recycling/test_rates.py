"""Hit rates by kind that are kept are those that would be worked out afresh."""

import numpy as np
import pytest

from trchat.recycling import rates as rates_module
from trchat.recycling.calibration import Calibration
from trchat.recycling.kinds import SIZES, STRIDES
from trchat.recycling.rates import levels_and_sets

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
    monkeypatch.setattr(rates_module, "_MOST_KINDS", 50)
    met = random.choice(N_KINDS, 51, replace=False).tolist()
    assert len(taught(random, met).rates) == 0
    assert len(taught(random, met[:50]).rates) == 50


def test_levels_and_sets_take_a_kind_apart():
    levels, sets = levels_and_sets(np.array([0, 3 * STRIDES[1] + 2 * STRIDES[4]]))
    assert levels.T.tolist() == [[0] * len(SIZES), [0, 3, 0, 0, 2, 0, 0]]
    assert sets.tolist() == [0, 0b010010]
