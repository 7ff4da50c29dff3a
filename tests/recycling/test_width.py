"""How wide each step is, on hand-made cost curves."""

from itertools import pairwise

import numpy as np
import pytest

from trchat.recycling.cost import LADDER, FixedCosts
from trchat.recycling.width import WidthChoice

CURVE = {1: 10.0, 2: 12.0, 3: 13.0, 4: 14.0, 8: 20.0, 16: 25.0, 64: 80.0}


def growth(gains, asked=None):
    def grow(limit):
        if asked is not None:
            asked.append(limit)
        return gains[:limit]

    return grow


def chosen(choice, costs, gains, true=None, n_forced=1, widest=64):
    """One step: what was promised comes true, or ``true`` tokens do; its width."""
    width = n_forced + choice.nodes(n_forced, widest, growth(gains))
    tokens = 1 + sum(gains[: width - n_forced]) if true is None else true
    choice.step(tokens, costs.observe(width, 0.0))
    return width


def best_of(costs, gains, rate, widest=64):
    return max((w for w in LADDER if w <= widest), key=lambda w: 1 + sum(gains[: w - 1]) - rate * costs.of(w))


def test_each_step_takes_the_width_that_brings_the_most_for_its_time():
    random = np.random.default_rng(1)
    costs = FixedCosts(CURVE, 0.0)
    choice = WidthChoice(costs)
    seen = set()
    for _ in range(300):
        gains = sorted(random.random(63) ** random.choice((1, 8, 30)), reverse=True)
        rate, widest = choice.rate, int(random.choice((2, 6, 64)))
        width = chosen(choice, costs, gains, widest=widest)
        wanted = best_of(costs, gains, rate, widest)
        assert costs.of(width) * rate - sum(gains[: width - 1]) == pytest.approx(
            costs.of(wanted) * rate - sum(gains[: wanted - 1])
        )
        seen.add(width)
    assert len(seen) > 4


def test_nothing_is_grown_that_cannot_pay():
    asked = []
    choice = WidthChoice(FixedCosts({1: 10.0, 2: 19.0, 64: 630.0}, 0.0))
    assert choice.nodes(1, 64, growth([0.3] * 63, asked)) == 0
    assert max(asked) <= 3


def test_known_tokens_ahead_of_the_tree_count_as_width():
    costs = FixedCosts({1: 10.0, 4: 10.0, 5: 10.1, 64: 1000.0}, 0.0)
    assert WidthChoice(costs).nodes(4, 64, growth([0.5] * 60)) == 1
    assert WidthChoice(costs).nodes(4, 4, growth([0.5] * 60)) == 0
    assert WidthChoice(costs).nodes(70, 64, growth([0.5] * 60)) == 0


def test_a_token_is_worth_what_it_takes_lately():
    """Where many come at once, a guess that would pay elsewhere does not."""
    costs = FixedCosts({1: 10.0, 2: 13.0, 16: 20.0, 64: 200.0}, 0.0)
    choice = WidthChoice(costs)
    doubtful = [0.4, *[0.0] * 62]
    assert chosen(choice, costs, doubtful) == 2
    for _ in range(100):
        assert chosen(choice, costs, [1.0] * 15 + [0.0] * 48) == 16
    assert chosen(choice, costs, doubtful) == 1


class Graphs(FixedCosts):
    """A GPU that records what it launches."""

    def preparing_ms(self, what):
        return (0.0, 3.0, 4.0, 15.0)[what]


def test_what_a_change_of_width_and_the_way_back_cost_must_be_brought():
    costs = FixedCosts({1: 10.0, 2: 11.0, 4: 12.0, 8: 14.0, 64: 100.0}, 6.0)
    choice = WidthChoice(costs)
    nothing = [0.0] * 63
    good = [0.9, 0.6, 0.0, *[0.0] * 60]
    for _ in range(3):
        assert chosen(choice, costs, nothing) == 1
    assert chosen(choice, costs, good[:1] + nothing[1:]) == 1, "a token brings less than both changes"
    assert chosen(choice, costs, good) == 3
    assert chosen(choice, costs, good[:1] + nothing[1:]) == 3, "there it costs no change"
    assert chosen(choice, costs, nothing) == 1


def test_where_repeating_a_width_is_dear_wide_steps_alternate_and_narrow_ones_settle():
    costs = Graphs({1: 10.0, 2: 10.5, 3: 11.0, 4: 11.5, 8: 14.0, 64: 100.0}, 0.0)
    choice = WidthChoice(costs)
    for _ in range(3):
        assert chosen(choice, costs, [0.0] * 63) == 1
    widths = [chosen(choice, costs, [0.9**depth for depth in range(1, 64)]) for _ in range(20)]
    assert 1 not in widths and all(a != b for a, b in pairwise(widths))
    widths = [chosen(choice, costs, [0.0] * 63) for _ in range(5)]
    assert widths == [1] * 5


def test_drafts_that_do_not_come_true_cost_a_hundredth():
    costs = FixedCosts(CURVE, 0.0)
    choice = WidthChoice(costs)
    plain = spent = 0.0
    for _ in range(5000):
        before = costs.of(chosen(choice, costs, [0.9, 0.8, 0.7, *[0.6] * 60], true=1))
        plain, spent = plain + costs.of(1), spent + before
    assert 1.0 < spent / plain < 1.02
    assert choice.affordable or choice.nodes(1, 64, growth([0.9] * 63)) == 0


def test_what_was_saved_is_not_gambled_away():
    costs = FixedCosts(CURVE, 0.0)
    choice = WidthChoice(costs)
    for _ in range(500):
        chosen(choice, costs, [0.9] * 63)
    lost = 0.0
    for _ in range(1000):
        lost += costs.of(chosen(choice, costs, [0.9, 0.8, 0.7, *[0.6] * 60], true=1)) - costs.of(1)
    assert lost < 0.04 * 1000 * costs.of(1)


def test_curves_that_differ_by_scale_alone_draft_alike():
    def widths(scale):
        random = np.random.default_rng(4)
        costs = FixedCosts({width: ms * scale for width, ms in CURVE.items()}, 3.0 * scale)
        choice = WidthChoice(costs)
        return [chosen(choice, costs, sorted(random.random(63) ** 9, reverse=True)) for _ in range(100)]

    assert widths(1.0) == widths(1 / 1024) == widths(1024.0)
