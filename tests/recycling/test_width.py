"""How wide a tree should be on hand-made cost curves."""

import pytest

from trchat.recycling.cost import LADDER
from trchat.recycling.fixed_costs import FixedCosts
from trchat.recycling.width import WidthChoice

SURE = [0.95] * 63
DOUBTFUL = [0.3 / (1 + node) for node in range(63)]


def taken(choice, gains):
    choice.decide(lambda n_nodes: gains[:n_nodes])
    return choice


def choose_width(costs, gains, n_forced, widest):
    """What is chosen in the long run, if every step promises these gains."""
    rate, home = 1 / costs.of(1), 1
    for _ in range(20):
        choice = taken(WidthChoice(costs, n_forced, widest, rate, home), gains)
        width = n_forced + choice.nodes
        rate, home = (1 + choice.promised) / costs.of(width), width
    return choice.nodes


def linear(slope):
    return FixedCosts({width: 10 * (1 + slope * (width - 1)) for width in (1, 2, 4, 8, 16, 32, 64)}, 0.0)


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
    assert choose_width(linear(0.0), SURE[:6], 1, 64) == 7  # the next on the ladder, with a place left over
    assert choose_width(linear(0.0), [], 1, 64) == 0


def test_a_change_of_width_must_pay_for_going_and_coming_back():
    costs = FixedCosts({1: 10, 2: 14.5, 4: 15.6, 64: 300}, 3.0)
    gains = [0.5, 0.2, 0.2, *([0.0] * 60)]

    def nodes(last, home):
        costs.observe(last, 0.0)
        return taken(WidthChoice(costs, 1, 64, 0.1, home), gains).nodes

    assert nodes(last=4, home=4) == 3
    assert nodes(last=1, home=4) == 3  # on the way home
    assert nodes(last=1, home=1) == 0
    assert nodes(last=4, home=1) == 3  # a change now or later: it is paid for either way
    costs.change_ms = 0.0
    assert nodes(last=1, home=1) == 3


def test_every_width_of_the_ladder_can_be_the_best():
    for best in LADDER[1:]:
        costs = FixedCosts({width: 10.0 if width in (1, best) else 100.0 * width for width in LADDER}, 0.0)
        assert choose_width(costs, [0.5] * 63, 1, 64) == best - 1


def test_growth_may_stop_as_soon_as_nothing_wider_can_win():
    gains, asked = [0.9**node * 0.5 for node in range(1, 64)], []

    def grow(n_nodes):
        asked.append(n_nodes)
        return gains[:n_nodes]

    choice = WidthChoice(linear(0.25), 1, 64, 0.1, 1)
    choice.decide(grow)
    assert asked[0] < asked[-1] < 12
    full = taken(WidthChoice(linear(0.25), 1, 64, 0.1, 1, look_to=64), gains)
    assert full.nodes == choice.nodes
    assert set(full.gains) == set(LADDER)
    assert full.gains[64] == pytest.approx(sum(gains))


def test_no_more_is_asked_for_where_there_is_no_more():
    asked = []

    def grow(n_nodes):
        asked.append(n_nodes)
        return [0.9] * 4

    choice = WidthChoice(linear(0.0), 1, 64, 0.1, 1, look_to=64)
    choice.decide(grow)
    assert asked == [3, 5]
    assert choice.gains[64] == pytest.approx(3.6)
