"""Step times by width, and how wide a tree should be for them."""

import pytest

from trchat.recycling.cost import LADDER, FixedCosts, StepCosts, WidthChoice

SURE = [0.95] * 63
DOUBTFUL = [0.3 / (1 + node) for node in range(63)]


def choose_width(costs, gains, n_forced, widest):
    choice = WidthChoice(costs, n_forced, widest)
    for gain in gains:
        if not choice.take(gain):
            break
    return choice.nodes


def linear(slope):
    return FixedCosts({width: 10 * (1 + slope * (width - 1)) for width in (1, 2, 4, 8, 16, 32, 64)}, 0.0)


def test_unknown_costs_are_a_sane_prior():
    costs = StepCosts()
    assert costs.of(1) == 1.0
    assert costs.of(2) < costs.of(4) < costs.of(64)


def test_observed_widths_are_known_and_others_lie_between_or_beyond():
    costs = StepCosts()
    for width, ms in ((1, 10.0), (4, 16.0), (8, 40.0)):
        costs.observe(width, ms)
    assert costs.of(4) == 16.0
    assert costs.of(2) == 12.0
    assert costs.of(6) == 28.0
    assert costs.of(10) == 52.0  # on the last slope


def test_repeated_observations_move_slowly_and_stalls_hardly_count():
    costs = StepCosts()
    costs.observe(1, 10.0)
    costs.observe(1, 12.0)
    assert 10.0 < costs.of(1) < 11.0
    before = costs.of(1)
    costs.observe(1, 5000.0)
    assert costs.of(1) < 1.5 * before
    for _ in range(100):
        costs.observe(1, 20.0)
    assert costs.of(1) == pytest.approx(20.0, rel=0.01)


def test_the_price_of_a_change_is_learned_apart_from_the_width():
    costs = StepCosts()
    for _ in range(150):
        for width, ms in ((1, 10.0), (4, 15.0)):
            costs.observe(width, ms + 2.0)  # the step that changes the width takes longer
            for _ in range(4):
                costs.observe(width, ms)
    assert costs.of(1) == pytest.approx(10.0, abs=0.5)
    assert costs.of(4) == pytest.approx(15.0, abs=0.5)
    assert costs.change_ms == pytest.approx(2.0, abs=0.5)


def test_a_longer_context_begins_with_the_curve_of_the_one_before_stretched():
    costs = StepCosts()
    costs.enter(100)
    costs.observe(1, 10.0)
    costs.observe(4, 20.0)
    costs.enter(3000)
    assert costs.of(4) == 20.0
    costs.observe(1, 15.0)  # everything is slower here
    assert costs.of(1) == pytest.approx(15.0, rel=0.01)
    assert costs.of(4) == pytest.approx(30.0, rel=0.01)
    costs.observe(1, 16.0)
    assert costs.of(4) == pytest.approx(30.0, rel=0.01)  # and that is told only once
    costs.enter(100)
    assert costs.of(4) == 20.0


def test_the_wanted_width_follows_the_slope():
    assert choose_width(linear(2.0), SURE, 1, 64) == 0
    assert choose_width(linear(0.01), SURE, 1, 64) == 63
    assert choose_width(linear(0.01), DOUBTFUL, 1, 64) < 63
    assert 0 < choose_width(linear(0.1), DOUBTFUL, 1, 64) < 10


def test_a_staircase_is_filled_up_to_its_edge():
    # Multiples of four are cheap: three tokens cost more than four.
    stairs = FixedCosts({1: 10, 2: 14, 3: 19, 4: 17, 6: 30, 8: 32, 12: 60, 16: 80, 64: 400}, 0.0)
    assert choose_width(stairs, [0.6, 0.4, 0.3, *([0.01] * 60)], 1, 64) == 3
    # 32 tokens on another kernel cost less than 16.
    kernel = FixedCosts({1: 10, 2: 14, 4: 20, 8: 30, 16: 70, 32: 40, 64: 90}, 0.0)
    assert choose_width(kernel, [0.5] * 63, 1, 64) in (31, 63)


def test_forced_tokens_take_their_places_in_the_batch():
    stairs = FixedCosts({1: 10, 2: 14, 3: 19, 4: 17, 6: 30, 8: 32, 16: 80, 64: 400}, 0.0)
    assert choose_width(stairs, [0.6, 0.4, 0.3, *([0.01] * 60)], 2, 64) == 2


def test_never_wider_than_there_is_room_or_than_there_are_guesses():
    assert choose_width(linear(0.0), SURE, 1, 5) == 3  # the ladder's widest up to 5 is 4
    assert choose_width(linear(0.0), SURE[:6], 1, 64) == 5
    assert choose_width(linear(0.0), [], 1, 64) == 0


def test_a_change_of_width_must_pay_for_itself():
    gains = [0.5, 0.1, 0.1, *([0.0] * 60)]

    def at(last, change_ms):
        costs = FixedCosts({1: 10, 2: 14.5, 4: 15.6, 64: 300}, change_ms)
        costs.observe(last, 0.0)
        return choose_width(costs, gains, 1, 64)

    assert at(1, 0.0) == at(4, 0.0)
    assert at(1, 3.0) == 0
    assert at(4, 3.0) == 3


def test_every_width_of_the_ladder_can_be_the_best():
    for best in LADDER[1:]:
        costs = FixedCosts({width: 10.0 if width in (1, best) else 100.0 * width for width in LADDER}, 0.0)
        assert choose_width(costs, [0.5] * 63, 1, 64) == best - 1


def test_growth_may_stop_as_soon_as_nothing_wider_can_win():
    choice = WidthChoice(linear(0.5), 1, 64)
    taken = 1
    while choice.take(0.9**taken * 0.5):
        taken += 1
    assert taken < 12
    full = WidthChoice(linear(0.5), 1, 64)
    for node in range(1, 64):
        full.take(0.9**node * 0.5)
    assert full.nodes == choice.nodes
