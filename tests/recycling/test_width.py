"""How wide a tree should be on hand-made cost curves, and when drafting gives up."""

import pytest

from trchat.recycling.cost import LADDER, FixedCosts, StepCosts
from trchat.recycling.width import Pace, WidthChoice

SURE = [0.95] * 63
DOUBTFUL = [0.3 / (1 + node) for node in range(63)]


def taken(choice, gains):
    for gain in gains:
        if not choice.take(gain):
            break
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
    assert choose_width(linear(0.0), SURE[:6], 1, 64) == 5
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
    choice = WidthChoice(linear(0.5), 1, 64, 0.1, 1)
    count = 1
    while choice.take(0.9**count * 0.5):
        count += 1
    assert count < 12
    full = taken(
        WidthChoice(linear(0.5), 1, 64, 0.1, 1, look_to=64), [0.9**node * 0.5 for node in range(1, 64)]
    )
    assert full.nodes == choice.nodes
    assert set(full.gains) == set(LADDER)


def run(pace, costs, gains, steps, plain_ms=None):
    """Let every step promise ``gains``; returns the widths, 0 for steps without drafting."""
    widths = []
    for _ in range(steps):
        if pace.asleep:
            pace.plain_step()
            costs.observe_plain(plain_ms)
            widths.append(0)
            continue
        choice = taken(pace.choice(1, 64), gains)
        width = 1 + choice.nodes
        costs.observe(width, costs.of(width))
        # What is promised comes true.
        pace.step(choice, width, 1 + choice.promised, costs.of(width))
        widths.append(width)
    return widths


def test_a_drafter_that_knows_nothing_yet_drafts_as_wide_as_one_that_does():
    costs = FixedCosts({1: 10, 2: 10.5, 4: 11, 8: 12, 16: 20, 64: 80}, 0.0)
    pace = Pace(costs)
    nothing = [0.01] * 63
    assert run(pace, costs, nothing, 100) == [8] * 100  # it would never learn otherwise
    assert set(run(pace, costs, nothing, 200)[100:]) == {1}
    wrong = FixedCosts({1: 10, 2: 10.5, 4: 11, 8: 12, 16: 20, 64: 80}, 0.0)
    pace = Pace(wrong)
    assert run(pace, wrong, nothing, 10) == [8] * 10
    wrong._curve.update({8: 30, 4: 20, 2: 15})  # the first measuring was disturbed
    assert set(run(pace, wrong, nothing, 100)[20:]) == {1}
    dear = FixedCosts({1: 10, 2: 20, 4: 40, 64: 640}, 0.0)
    assert set(run(Pace(dear), dear, nothing, 100)) == {1}  # where it could not pay anyway
    assert set(run(Pace(costs, learned=5000), costs, nothing, 100)) == {1}


def test_the_home_width_is_the_best_one_to_stay_at():
    costs = FixedCosts({1: 10, 2: 15, 4: 16, 8: 17, 16: 60, 64: 400}, 2.0)
    pace = Pace(costs, learned=5000)
    widths = run(pace, costs, [0.5, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, *([0.0] * 56)], 60)
    assert pace.home == 8
    assert set(widths[5:]) == {8}
    assert pace.rate == pytest.approx(2.4 / 17, rel=0.01)


def test_drafting_sleeps_where_its_own_work_costs_more_than_it_brings():
    costs = FixedCosts({1: 13, 2: 15, 4: 18, 64: 400}, 0.0)  # a plain step takes 10
    costs.plain_ms = 10.0
    pace = Pace(costs, learned=5000)
    widths = run(pace, costs, [0.3, *([0.0] * 62)], 3000, plain_ms=10.0)
    assert widths.count(0) > 0.95 * len(widths)
    assert len(widths) - widths.count(0) > 0  # it is tried again from time to time
    better = run(pace, costs, [0.95] * 63, 3000, plain_ms=10.0)
    assert better[-1] > 1  # and goes on when it pays
    assert 0 not in better[1500:]


def test_promises_that_do_not_come_true_are_not_believed_for_long():
    costs = FixedCosts({1: 12, 2: 13, 4: 14, 64: 400}, 0.0)
    costs.plain_ms = 10.0
    pace = Pace(costs, learned=5000)
    steps = 0
    while not pace.asleep:
        choice = taken(pace.choice(1, 64), [0.6, 0.4, 0.3, *([0.0] * 60)])
        pace.step(choice, 1 + choice.nodes, 1, costs.of(1 + choice.nodes))
        steps += 1
    assert 30 < steps < 100


def test_nothing_is_given_up_before_there_was_something_to_learn_from():
    near = FixedCosts({1: 11, 2: 13.5, 4: 40, 64: 900}, 0.0)
    near.plain_ms = 10.0
    widths = run(Pace(near), near, [0.3, *[0.0] * 62], 500, plain_ms=10.0)
    assert widths.index(0) > 300  # what is missing may come with what is learned
    far = FixedCosts({1: 13, 2: 25, 4: 40, 64: 900}, 0.0)
    far.plain_ms = 10.0
    widths = run(Pace(far), far, [0.3, *[0.0] * 62], 300, plain_ms=10.0)
    assert 100 <= widths.index(0) < 130


def test_without_a_plain_step_to_compare_with_it_stays_awake():
    costs = StepCosts()
    costs.observe(1, 10.0)
    assert 0 not in run(Pace(costs, learned=5000), costs, [0.1], 500)
