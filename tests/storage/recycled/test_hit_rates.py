"""Counts of several writers add up, and made-up ones do no harm."""

import warnings as python_warnings

import numpy as np
import pytest

from trchat.recycling.calibration import SIZES, STRIDES, Calibration
from trchat.recycling.cost import Preparing, StepCosts
from trchat.storage.recycled import hit_rates, step_times

N_KINDS = STRIDES[-1] * SIZES[-1]


def learned(seed, count=200, start=None):
    calibration = Calibration()
    if start is not None:
        hit_rates.restore(calibration, start)
    random = np.random.default_rng(seed)
    calibration.learn(random.integers(1, 300, count), random.random(count) < 0.4)
    return hit_rates.vector(calibration)


def test_what_two_learn_at_once_adds_up():
    base = learned(0)
    one, two = learned(1, start=base), learned(2, start=base)
    joint = hit_rates.add(one, base, two)
    assert np.allclose(joint, base + (one - base) + (two - base), atol=1e-4)
    assert np.array_equal(hit_rates.add(base, base, one), one), "alone, nothing is rounded"
    counted = hit_rates.by_source(joint)
    alone = [hit_rates.by_source(each) for each in (base, one, two)]
    for source in range(5):
        assert counted[source][2] == pytest.approx(
            alone[1][source][2] + alone[2][source][2] - alone[0][source][2], abs=0.1
        )


def test_halving_on_both_sides_leaves_counts_that_can_be():
    base = learned(0)
    joint = hit_rates.add(base, base * 3, base)
    assert np.array_equal(hit_rates.sound(joint)[:100], joint[:100])


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 1e30, -1e30, 3e38, 1e-40])
def test_made_up_numbers_leave_rates_that_are_rates(value):
    random = np.random.default_rng(1)
    for share in (0.01, 0.3, 1.0):
        values = learned(3)
        values[random.random(len(values)) < share] = value
        data = hit_rates.encode(values)
        calibration = Calibration()
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("error")
            hit_rates.restore(calibration, hit_rates.decode(data))
            calibration.learn(np.arange(500, dtype=np.intp), np.ones(500, bool))
            calibration.refresh()
        rates = np.array([calibration.rates[kind] for kind in range(0, N_KINDS, 97)])
        assert ((rates >= 0) & (rates <= 1)).all()


def test_other_sizes_and_damage_are_nothing():
    data = hit_rates.encode(learned(4))
    assert hit_rates.decode(data) is not None
    assert hit_rates.decode(data[:-20]) is None
    assert hit_rates.decode(b"") is None
    assert hit_rates.decode(hit_rates.encode(learned(4)[:-1])) is None
    assert hit_rates.decode(hit_rates.encode(np.zeros(10_000_000, np.float32))) is None


def test_step_costs_come_back():
    costs, again = StepCosts(), StepCosts()
    for length in (10, 700):
        costs.enter(length)
        costs.observe(1, 10.0 + length / 200)
        costs.observe(8, 21.0 + length / 200)
    assert step_times.recall(again, step_times.to_text(costs))
    for length in (10, 700):
        costs.enter(length)
        again.enter(length)
        widths = (1, 4, 8, 16)
        assert [again.of(width) for width in widths] == pytest.approx(
            [costs.of(width) for width in widths], rel=1e-4
        )
    fresh = StepCosts()
    step_times.recall(fresh, step_times.to_text(costs))
    assert fresh.of(8) == pytest.approx(costs.curve[8], rel=1e-4), "known at once, before the length is"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1e999",
        "[" * 60_000,
        '{"curve": {"1": NaN}}',
        '{"curve": {"1": -4}}',
        '{"curve": {"1": 0}}',
        '{"curve": {"1": 1e-300}}',
        '{"curve": {"1": true, "4": "x", "x": 3, "-2": 3, "99999": 3}}',
        '{"curve": {"1": 1e999}}',
        '{"curve": {"\u00b2": 3}}',
        '{"curve": {"1": ' + "9" * 5000 + "}}",
        '{"curve": [1], "preparing": [Infinity, 1, 1]}',
        '{"curve": {"1": 3}, "context": 5}',
        '{"preparing": [3, 1, 1]}',
        '{"change_ms": 3, "curves": {"0": {"1": 3}}}',  # of an older version
        "x" * 100_000,
    ],
)
def test_step_costs_that_cannot_be(text):
    costs = StepCosts()
    assert not step_times.recall(costs, text)
    assert costs.of(1) == 1.0
    assert costs.preparing_ms(Preparing.CHANGE) == StepCosts().preparing_ms(Preparing.CHANGE)


@pytest.mark.parametrize(
    "context", ["[]", "[1]", "[1, null]", "[NaN, 1]", "[-1, 1]", '["1", 2]', "[1, 1e7]", "[1e7, 0]"]
)
def test_what_a_context_cannot_add_is_left_aside(context):
    costs = StepCosts()
    assert step_times.recall(costs, f'{{"curve": {{"1": 10, "16": 25}}, "context": {context}}}')
    costs.enter(1000)
    assert 10 < costs.of(1) < 20


def test_what_a_context_adds_comes_back_with_what_reads_it():
    costs, again = StepCosts(shared=True), StepCosts()
    costs.measured(1, 10.0)
    costs.measured(16, 25.0)
    assert step_times.recall(again, step_times.to_text(costs)), "before any context was seen"
    for each in (costs, again):
        each.enter(4000)
    assert again.shared and again.of(16) == pytest.approx(costs.of(16), rel=1e-4)
    for _ in range(10):
        costs.observe(4, 17.0)
    assert step_times.recall(again, step_times.to_text(costs))
    again.enter(4000)
    assert again.of(8) == pytest.approx(costs.of(8), rel=1e-3)
