"""Step times by width and length of context, learned while running."""

import numpy as np
import pytest

from trchat.recycling.cost import LADDER, FixedCosts, Preparing, StepCosts, WidthHistory


def measured(*times, preparing=(0.0, 0.0, 0.0), shared=False):
    costs = StepCosts(shared)
    for width, ms in times:
        costs.measured(width, ms, preparing)
    return costs


def preparing(costs):
    return [costs.preparing_ms(what) for what in Preparing]


def test_unknown_costs_are_a_sane_prior():
    costs = StepCosts()
    assert costs.of(1) == 1.0
    assert costs.of(2) < costs.of(4) < costs.of(64)
    assert costs.plain_ms is None and not costs.known


def test_measured_widths_are_known_and_others_lie_between_or_beyond():
    costs = measured((1, 10.0), (4, 16.0), (8, 40.0))
    assert costs.of(4) == 16.0
    assert costs.of(2) == 12.0
    assert costs.of(6) == pytest.approx(28.0)
    assert costs.of(10) == pytest.approx(52.0)  # on the last slope
    assert costs.curve == pytest.approx({1: 10.0, 4: 16.0, 8: 40.0})


def test_repeated_steps_move_a_cost_and_stalls_hardly_do():
    costs = StepCosts()
    costs.observe(1, 10.0)
    costs.observe(1, 12.0)
    assert 10.0 < costs.of(1) < 11.5
    before = costs.of(1)
    costs.observe(1, 5000.0)
    assert costs.of(1) < 1.3 * before
    for _ in range(100):
        costs.observe(1, 20.0)
    assert costs.of(1) == pytest.approx(20.0, rel=0.01)


def test_a_machine_that_slows_down_is_followed_at_widths_that_are_not_run():
    costs = measured((1, 10.0), (4, 16.0))
    for _ in range(60):
        costs.observe(1, 20.0)
    assert costs.of(4) == pytest.approx(32.0, rel=0.02)


def test_a_width_that_was_never_run_is_believed_at_its_first_step_but_for_a_stall():
    costs = measured((1, 10.0))
    costs.observe(8, 14.0)
    assert costs.of(8) == pytest.approx(14.0, rel=0.15)
    before = costs.of(64)
    costs.observe(64, 50 * before)  # llama.cpp sets up something for the first time
    assert costs.of(64) < 2.5 * before


def test_the_price_of_a_change_is_learned_apart_from_the_width():
    costs = StepCosts()
    for _ in range(150):
        for width, ms in ((1, 10.0), (4, 15.0)):
            costs.observe(width, ms + 2.0)  # the step that changes the width takes longer
            costs.observe(width, ms + 5.0)  # and the next one: a GPU's launches are recorded
            for _ in range(4):
                costs.observe(width, ms)
        costs.observe(1, 12.0)
        costs.observe(4, 17.0)
        costs.observe(4, 16.0)  # what was recorded last is still there
    assert costs.of(1) == pytest.approx(10.0, abs=0.5)
    assert costs.of(4) == pytest.approx(15.0, abs=0.5)
    assert preparing(costs) == pytest.approx([0.0, 2.0, 1.0, 5.0], abs=0.6)


def test_where_times_scatter_a_change_of_width_does_not_seem_dear():
    random = np.random.default_rng(1)
    costs = measured((1, 10.0), (4, 15.0), preparing=(0.3, 0.0, 0.0))
    for _ in range(500):
        for width, ms in ((1, 10.0), (4, 15.0)):
            for _ in range(3):
                costs.observe(width, ms * random.lognormal(0, 0.1))
        if random.random() < 0.05:
            costs.observe(8, 60.0)  # a stall, just when the width changes
    assert costs.preparing_ms(Preparing.CHANGE) < 1.0


def test_what_a_prompt_costs_the_first_two_steps_says_nothing():
    costs = measured((1, 10.0), (4, 12.0), preparing=(2.0, 1.0, 3.0))
    before = costs.curve, preparing(costs)
    for _ in range(100):
        costs.begin()
        costs.observe(4, 50.0)
        costs.observe(1, 40.0)
    assert (costs.curve, preparing(costs)) == before


def test_no_width_is_thought_dearer_than_a_wider_one_until_it_was_run():
    costs = measured((1, 8.0), (4, 9.0), (8, 30.0), (16, 12.0), (2, 10.0))
    assert [costs.of(width) for width in (1, 2, 4, 8, 16)] == pytest.approx([8.0, 9.0, 9.0, 12.0, 12.0])
    for _ in range(60):
        costs.observe(8, 30.0)  # it is dearer indeed: another kernel
    assert costs.of(8) == pytest.approx(30.0, rel=0.02)


def test_plain_decoding_takes_what_is_left_without_the_work_for_drafts():
    costs = measured((1, 10.0))
    for _ in range(60):
        costs.observe(1, 20.5, learning_ms=0.5)
    assert costs.plain_ms == pytest.approx(20.0, rel=0.01)
    costs.observe(8, 900.0, learning_ms=400.0)  # what wider steps take says nothing about it
    assert costs.plain_ms == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("per_step", "per_row"), [(2.0, 1.0), (0.0, 4.0), (3.0, 0.0)])
def test_what_a_context_adds_is_learned_for_all_widths_from_a_few_of_them(shared, per_step, per_row):
    random = np.random.default_rng(5)
    curve = {1: 20.0, 2: 26.0, 4: 30.0, 8: 45.0, 16: 80.0}
    costs = measured(*curve.items(), shared=shared)
    for n in range(100, 2100, 4):
        costs.enter(n)
        width = int(random.choice((1, 1, 1, 4)))
        costs.observe(width, curve[width] + n / 1000 * (per_step + per_row * width))
    for width, alone in curve.items():
        true = alone + 2 * (per_step + per_row * width)
        # What wide steps take there, which were never run, is told roughly.
        assert costs.of(width) == pytest.approx(true, rel=0.1 if width in (1, 4) else 0.5), width


def test_costs_stay_numbers_above_nothing_whatever_is_seen():
    random = np.random.default_rng(3)
    for _ in range(30):
        costs = StepCosts(shared=bool(random.integers(2)))
        wild = (0.0, 1e-9, 1e-3, 0.1, 10.0, 1e3, 1e6)
        for _ in range(200):
            ms = float(random.choice(wild)) * (1 + random.random())
            width = int(random.choice((1, 2, 4, 7, 8, 16, 64)))
            match random.integers(5):
                case 0:
                    costs.enter(int(random.choice((0, 1, 300, 4000, 131072))))
                case 1:
                    costs.begin()
                case 2:
                    costs.measured(width, ms, (ms, ms, ms))
                case _:
                    costs.observe(width, ms, learning_ms=ms * random.random())
            for each in (1, 3, 16, 100):
                assert 0 < costs.of(each) < 1e18
            assert costs.plain_ms is None or 0 < costs.plain_ms < 1e18
            assert all(0 <= ms < 1e18 for ms in preparing(costs))


def test_an_earlier_session_is_gone_on_from():
    before = measured((1, 10.0), (4, 15.0), preparing=(1.0, 0.5, 2.0))
    before.work_ms = 0.25
    after = StepCosts()
    after.recall(before.curve, preparing(before)[1:], 9.75, (1.0, 2.0))
    assert after.curve == pytest.approx(before.curve)
    assert (preparing(after), after.plain_ms) == ([0.0, 1.0, 0.5, 2.0], 9.75)
    assert after.context == pytest.approx((1.0, 2.0))
    nonsense = StepCosts()
    nonsense.recall(before.curve, (1.0, 0.0, 0.0), None, (1e6, 1e6))
    nonsense.enter(1000)
    assert nonsense.of(1) < 1e3, "what cannot be is not believed"
    without = StepCosts()
    without.recall({4: 15.0}, (1.0, 0.0, 0.0))
    assert not without.known


def test_a_curve_measured_elsewhere_does_not_change():
    costs = FixedCosts({1: 10.0, 2: 12.0, 4: 20.0, 8: 20.0}, 3.0)
    assert [costs.of(width) for width in (1, 2, 3, 4, 6, 64)] == [10.0, 12.0, 16.0, 20.0, 20.0, 20.0]
    assert [costs.observe(width, 99.0) for width in (1, 1, 4, 4)] == [10.0, 10.0, 23.0, 20.0]
    costs.begin()
    assert costs.observe(8, 99.0) == 20.0
    assert not any(costs.knows(width) for width in LADDER)


def test_what_a_batch_needs_follows_from_the_widths_before():
    history = WidthHistory()
    needed = []
    for width in (8, 8, 8, 1, 1, 4, 1, 1, 1, 8, 8):
        needed.append(history.needed(width).name)
        history.ran(width)
    assert needed == [
        "NOTHING",  # behind a prompt everything is new
        "RECORDING",
        "NOTHING",
        "CHANGE",
        "RECORDING",
        "CHANGE",
        "CHANGE",
        "UPDATE",  # the width between was not recorded
        "NOTHING",
        "CHANGE",
        "RECORDING",
    ]
    assert history.settled
    history.begin()
    assert not history.settled and history.needed(1) is Preparing.NOTHING


def test_a_stall_and_what_a_prompt_costs_are_not_held_against_a_step():
    costs = measured((1, 10.0), (8, 15.0))
    costs.begin()
    assert costs.observe(8, 40.0) == costs.observe(8, 30.0) == 15.0
    for _ in range(20):
        assert costs.observe(8, 15.0) == pytest.approx(15.0)
    assert costs.observe(8, 16.0) == pytest.approx(16.0)
    assert costs.observe(8, 5000.0) < 25.0
