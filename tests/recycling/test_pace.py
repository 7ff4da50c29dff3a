"""Whether drafting pays, and at what width, in the long run: on hand-made cost curves."""

import pytest

from tests.recycling.test_width import taken
from trchat.recycling.cost import StepCosts
from trchat.recycling.fixed_costs import FixedCosts
from trchat.recycling.pace import Pace


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
    assert run(pace, costs, nothing, 80) == [8] * 80  # it would never learn otherwise
    assert set(run(pace, costs, nothing, 200)[60:]) == {1}  # nor does it go on for ever, or at any price
    wrong = FixedCosts({1: 10, 2: 10.5, 4: 11, 8: 12, 16: 20, 64: 80}, 0.0)
    pace = Pace(wrong)
    assert run(pace, wrong, nothing, 10) == [8] * 10
    wrong._curve.update({8: 30, 4: 20, 2: 15})  # the first measuring was disturbed
    assert set(run(pace, wrong, nothing, 100)[20:]) == {1}
    dear = FixedCosts({1: 10, 2: 20, 4: 40, 64: 640}, 0.0)
    assert max(run(Pace(dear), dear, nothing, 100)) == 1  # where it could not pay anyway
    assert max(run(Pace(costs, learned=5000), costs, nothing, 100)) == 1


def test_a_school_ends_when_it_has_lost_forty_plain_steps():
    costs = FixedCosts({1: 10, 2: 10.5, 4: 11, 8: 12, 16: 20, 64: 80}, 0.0)
    pace = Pace(costs)
    steps = 0
    while (choice := taken(pace.choice(1, 64), [0.01] * 63)).fixed:
        pace.step(choice, 1 + choice.nodes, 1, 24.0)  # held up, and not by its width
        steps += 1
    assert steps == 29


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
    assert 10 < steps < 100


def awake_until_it_sleeps(pace, costs, tokens):
    """Steps that promise much and bring ``tokens`` each; returns how many, and the milliseconds lost."""
    steps, lost = 0, 0.0
    while not pace.asleep:
        choice = taken(pace.choice(1, 64), [0.9] * 63)
        ms = costs.of(1 + choice.nodes)
        pace.step(choice, 1 + choice.nodes, tokens, ms)
        steps, lost = steps + 1, lost + ms - tokens * costs.plain_ms
    return steps, lost


def test_what_drafting_may_lose_is_bounded_and_naps_make_it_a_small_part():
    costs = FixedCosts({1: 11, 2: 40, 64: 2000}, 15.0)
    costs.plain_ms = 10.0
    pace = Pace(costs, learned=5000)
    slept = lost = 0
    for _ in range(6):
        steps, now = awake_until_it_sleeps(pace, costs, 1)
        assert steps < 40
        lost += now
        while pace.asleep:
            pace.plain_step()
            slept += 1
    assert lost < 0.05 * slept * 10.0


def test_where_drafting_has_paid_it_is_tried_again_soon():
    costs = FixedCosts({1: 11, 2: 12, 4: 14, 64: 2000}, 0.0)
    costs.plain_ms = 10.0
    pace = Pace(costs, learned=5000)
    run(pace, costs, [0.9] * 63, 500)  # a text that repeats itself
    awake_until_it_sleeps(pace, costs, 1)  # and one that does not
    nap = 0
    while pace.asleep:
        pace.plain_step()
        nap += 1
    assert nap < 100


def test_the_home_width_is_kept_unless_another_is_worth_the_change():
    costs = FixedCosts({1: 10, 2: 15, 4: 16, 8: 40, 64: 400}, 20.0)
    pace = Pace(costs, learned=5000)
    run(pace, costs, [0.5, 0.3, 0.2, *([0.0] * 60)], 200)
    assert pace.home == 4
    costs._curve[2] = 11.6  # 3 % better, for a change that takes longer than a step
    run(pace, costs, [0.5, 0.3, 0.2, *([0.0] * 60)], 200)
    assert pace.home == 4
    costs._curve[2] = 9.0
    run(pace, costs, [0.5, 0.3, 0.2, *([0.0] * 60)], 200)
    assert pace.home == 2


def test_nothing_is_given_up_before_there_was_something_to_learn_from():
    near = FixedCosts({1: 11, 2: 13.5, 4: 40, 64: 900}, 0.0)
    near.plain_ms = 10.0
    widths = run(Pace(near), near, [0.3, *[0.0] * 62], 500, plain_ms=10.0)
    assert widths.index(0) > 300  # what is missing may come with what is learned
    far = FixedCosts({1: 13, 2: 25, 4: 40, 64: 900}, 0.0)
    far.plain_ms = 10.0
    widths = run(Pace(far), far, [0.3, *[0.0] * 62], 300, plain_ms=10.0)
    assert 100 <= widths.index(0) < 130


def test_without_a_plain_step_to_compare_with_a_few_come_first():
    costs = StepCosts()
    costs.observe(1, 10.0)
    pace = Pace(costs, learned=5000)
    assert run(pace, costs, [0.1] * 63, 5, plain_ms=8.0)[:5] == [0, 0, 0, 0, 1]
    assert costs.plain_ms == 8.0


def test_a_stall_does_not_end_drafting():
    costs = FixedCosts({1: 10, 2: 12, 4: 14, 64: 2000}, 0.0)
    pace = Pace(costs, learned=5000)
    run(pace, costs, [0.9] * 63, 500)
    choice = taken(pace.choice(1, 64), [0.9] * 63)
    pace.step(choice, 1 + choice.nodes, 2, 60_000.0)  # another program, or a laptop that slept
    assert 0 not in run(pace, costs, [0.9] * 63, 200)


def test_what_a_prompt_costs_the_steps_behind_it_is_not_held_against_drafts():
    """Plain decoding would pay it too: on a GPU it is several steps' time for each answer."""

    def slept(of_prompts):
        costs = FixedCosts({1: 10, 4: 14, 64: 2000}, 40.0)
        pace = Pace(costs, learned=5000)
        naps, drafted = 0, []
        for step in range(600):
            if step % 12 == 0 and of_prompts:
                pace.begin()
            if pace.asleep:
                pace.plain_step()
                naps += 1
                continue
            choice = taken(pace.choice(1, 64), [0.4, 0.3, 0.2, *[0.0] * 60])
            width = 1 + choice.nodes
            drafted.append(width > 1)
            costs.observe(width, 0.0)
            slow = 40.0 if step % 12 < 2 else 0.0
            pace.step(choice, width, 2 if step % 3 else 1, costs.of(width) + slow)
        assert any(drafted)
        return naps

    assert slept(of_prompts=False) > 100
    assert slept(of_prompts=True) == 0
