"""Step times by width, learned while running."""

import numpy as np
import pytest

from trchat.recycling.cost import StepCosts


def test_unknown_costs_are_a_sane_prior():
    costs = StepCosts()
    assert costs.of(1) == 1.0
    assert costs.of(2) < costs.of(4) < costs.of(64)


def test_observed_widths_are_known_and_others_lie_between_or_beyond():
    costs = StepCosts()
    for width, ms in ((1, 10.0), (4, 16.0), (8, 40.0)):
        costs.measured(width, ms)
    assert costs.of(4) == 16.0
    assert costs.of(2) == 12.0
    assert costs.of(6) == 28.0
    assert costs.of(10) == 52.0  # on the last slope


def test_repeated_observations_move_slowly_and_stalls_hardly_count():
    costs = StepCosts()
    costs.observe(1, 10.0)
    costs.observe(1, 12.0)
    assert 10.0 < costs.of(1) < 11.5
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
            costs.observe(width, ms + 5.0)  # and the next one: a GPU's launches are recorded
            for _ in range(4):
                costs.observe(width, ms)
    assert costs.of(1) == pytest.approx(10.0, abs=0.5)
    assert costs.of(4) == pytest.approx(15.0, abs=0.5)
    assert costs.change_ms == pytest.approx(7.0, abs=0.7)


def test_where_times_scatter_a_change_of_width_does_not_seem_dear():
    random = np.random.default_rng(1)
    costs = StepCosts()
    for _ in range(500):
        for width, ms in ((1, 10.0), (4, 15.0)):
            for _ in range(3):
                costs.observe(width, ms * random.lognormal(0, 0.1))
        if random.random() < 0.05:
            costs.observe(8, 60.0)  # a stall, just when the width changes
    assert costs.change_ms < 0.5


def test_what_a_prompt_costs_the_first_steps_is_not_the_widths():
    costs = StepCosts()
    costs.measured(4, 10.0, change_ms=5.0)
    for _ in range(100):
        costs.begin()
        for ms in (13.0, 12.0, 10.0, 10.0):
            costs.observe(4, ms)
    assert costs.of(4) == pytest.approx(10.0, abs=0.3)
    assert costs.change_ms == pytest.approx(5.0, abs=0.5)


def test_the_first_answer_begins_behind_a_prompt_too():
    costs = StepCosts()
    for width, ms in ((1, 3.4), (4, 4.2), (8, 5.7)):
        costs.measured(width, ms, change_ms=8.0)
    costs.begin()
    costs.observe(4, 6.0)  # two steps that pay for the change of shape, as after any prompt
    costs.observe(4, 10.0)
    assert costs.of(4) <= 4.2
    costs.observe(4, 4.2)
    assert costs.of(4) == pytest.approx(4.2, rel=0.1)


def test_a_width_that_is_far_off_twice_in_a_row_is_believed():
    costs = StepCosts()
    for width, ms in ((1, 10.0), (16, 20.0)):
        costs.measured(width, ms, change_ms=0.0)
    for width in (16, 16, 16, 1, 1, 1) * 4:
        costs.observe(width, costs.of(width))
    costs.observe(16, 90.0)
    assert costs.of(16) < 22.0, "it may have been held up"
    for _ in range(3):
        costs.observe(16, 20.0)
    costs.observe(16, 90.0)
    assert costs.of(16) < 24.0
    costs.observe(16, 90.0)
    assert costs.of(16) > 35.0, "but not two in a row"


def test_a_step_that_is_held_up_does_not_put_its_width_out_of_question():
    costs = StepCosts()
    for width in (1, 4, 4, 4):
        costs.observe(width, 5.0)
    before = costs.of(4)
    costs.observe(4, 60.0)
    assert costs.of(4) <= 1.12 * before


def test_widths_that_never_come_twice_in_a_row_are_learned_too():
    costs = StepCosts()
    costs.measured(1, 10.0, change_ms=2.0)
    costs.measured(4, 15.0)
    for _ in range(400):
        for width, ms in ((1, 20.0), (4, 30.0)):
            costs.observe(width, ms + 2.0)
    assert costs.of(1) + costs.change_ms == pytest.approx(22.0, rel=0.1)
    assert costs.of(4) + costs.change_ms == pytest.approx(32.0, rel=0.1)


def test_measuring_before_the_first_answer_is_believed():
    costs = StepCosts()
    costs.measured(1, 5.0, change_ms=1.5)
    costs.measured(4, 9.0)
    assert (costs.of(1), costs.of(4), costs.change_ms) == (5.0, 9.0, 1.5)


def test_no_width_is_thought_dearer_than_a_wider_one_until_it_was_run():
    costs = StepCosts()
    for width, ms in ((1, 14.0), (4, 9.0), (8, 30.0), (16, 12.0), (2, 10.0)):
        costs.measured(width, ms)
    assert [costs.of(width) for width in (1, 2, 4, 8, 16)] == [9.0, 9.0, 9.0, 12.0, 12.0]
    for _ in range(60):
        costs.observe(8, 30.0)  # it is dearer indeed: another kernel
    assert costs.of(8) == pytest.approx(30.0, rel=0.01)


def test_costs_stay_numbers_above_nothing_whatever_is_seen():
    random = np.random.default_rng(3)
    for _ in range(60):
        costs = StepCosts(shared=bool(random.integers(2)))
        wild = (0.0, 1e-9, 1e-3, 0.1, 10.0, 1e3, 1e6)
        for _ in range(200):
            ms = float(random.choice(wild)) * (1 + random.random())
            width = int(random.choice((1, 2, 4, 8, 16, 64)))
            match random.integers(7):
                case 0:
                    costs.enter(int(random.choice((0, 1, 300, 4000, 131072))))
                case 1:
                    costs.begin()
                case 2:
                    costs.measured(width, ms, ms)
                case 3:
                    costs.observe_plain(ms)
                case 4:
                    costs.observe_copied(width, ms)
                case _:
                    costs.observe(width, ms, work_ms=ms * random.random())
            for each in (1, 3, 16, 100):
                assert 0 < costs.of(each) < 1e12
            assert costs.plain_ms is None or 0 < costs.plain_ms < 1e12
            assert 0 <= costs.change_ms < 1e12


def test_the_first_step_of_a_width_does_not_put_it_out_of_question():
    costs = StepCosts()
    costs.observe(1, 10.0)
    costs.measured(8, 12.0)
    expected = costs.of(32)
    costs.observe(32, 500.0)  # llama.cpp sets up something for the first time
    assert costs.of(32) == expected
    costs.observe(16, 11.0)  # cheaper than expected is believed at once
    assert costs.of(16) == 11.0


def test_plain_steps_are_counted_apart():
    costs = StepCosts()
    assert costs.plain_ms is None
    costs.observe(1, 10.0)
    for ms in (30.0, 20.0, 9.0, 9.5, 1000.0):  # the first two pay for a change
        costs.observe_plain(ms)
    assert (costs.of(1), costs.last_width) == (10.0, 1)
    assert 9.0 < costs.plain_ms < 11.0


def test_plain_steps_right_after_wider_ones_are_not_what_plain_decoding_takes():
    costs = StepCosts()
    costs.measured(4, 2.0)
    costs.measured_plain(1.2)
    for _ in range(50):
        costs.observe(4, 2.0)
        costs.observe_plain(5.0)
        costs.observe_plain(5.0)
    assert costs.plain_ms == 1.2
    for _ in range(50):
        costs.observe_plain(1.5)
    assert costs.plain_ms == pytest.approx(1.5, rel=0.01)


def test_what_plain_decoding_takes_is_followed_in_steps_that_are_drafted_for():
    costs = StepCosts()
    costs.measured(1, 10.5)
    costs.measured(4, 15.0)
    costs.measured_plain(10.0)
    for _ in range(60):
        costs.observe(1, 20.5, work_ms=0.5)  # the machine has slowed down
    assert costs.plain_ms == pytest.approx(20.0, rel=0.01)
    costs.observe(1, 900.0, work_ms=0.5)
    assert costs.plain_ms < 25.0  # a stall
    before = costs.plain_ms
    for _ in range(5):
        costs.observe(4, 15.0, work_ms=0.5)
        costs.observe(1, 30.0, work_ms=0.5)  # changes of width say nothing about it
    assert costs.plain_ms == before


def test_chains_that_are_copied_do_not_make_grown_trees_look_cheap():
    costs = StepCosts()
    costs.measured(1, 3.0)
    costs.measured(8, 5.0)
    costs.measured_plain(2.0)  # so a step's work around the model takes 1 ms
    for _ in range(100):
        costs.observe_copied(8, 4.0)
    assert costs.of(8) == pytest.approx(5.0, rel=0.01)
    unmeasured = StepCosts()
    unmeasured.observe_copied(8, 4.0)
    assert unmeasured.of(8) == 4.0
