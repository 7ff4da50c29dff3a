"""What a longer context adds to a step of any width, learned from steps of a few."""

import pytest

from trchat.recycling.cost import StepCosts

ALONE = {1: 10.0, 2: 12.0, 4: 16.0, 8: 24.0, 16: 40.0, 32: 70.0}


def in_context(cells, per_step, per_row):
    """Milliseconds by width where a context of ``cells`` adds so much for each 1,000."""
    return {width: ms + cells / 1000 * (per_step + per_row * width) for width, ms in ALONE.items()}


def measured(shared=False):
    costs = StepCosts(shared)
    for width, ms in ALONE.items():
        costs.measured(width, ms, change_ms=0.0)
    costs.measured_plain(9.0)
    return costs


@pytest.mark.parametrize("seen", [(1,), (1, 4), (8,), (2, 16)])
def test_what_a_context_adds_is_learned_from_a_few_widths_for_all(seen):
    costs = measured()
    long, longer = in_context(1000, 2.0, 7.0), in_context(2000, 2.0, 7.0)
    costs.enter(1000)
    for width in seen:
        for _ in range(4):
            costs.observe(width, long[width])
    assert costs.of(seen[-1]) == pytest.approx(long[seen[-1]], rel=0.05)
    for width in (4, 16, 32):
        assert costs.of(width) == pytest.approx(long[width], rel=0.25)
    assert costs.plain_ms == pytest.approx(long[1] - 1, rel=0.25)
    costs.enter(2000)
    assert costs.of(16) == pytest.approx(longer[16], rel=0.25)
    costs.enter(0)
    for width, ms in ALONE.items():
        assert costs.of(width) == pytest.approx(ms, rel=0.15)


def test_plain_steps_tell_what_a_context_adds_too():
    costs = measured()
    costs.enter(1000)
    for _ in range(20):
        costs.observe_plain(9.0 + 9.0)
    assert costs.plain_ms == pytest.approx(18.0, rel=0.03)
    assert costs.of(16) == pytest.approx(in_context(1000, 2.0, 7.0)[16], rel=0.25)


def test_a_gpu_is_not_expected_to_be_slowed_down_by_each_row():
    costs, gpu = measured(), measured(shared=True)
    costs.enter(1000)
    gpu.enter(1000)
    assert costs.of(32) > 2 * ALONE[32]
    assert gpu.of(32) < 1.2 * ALONE[32]
    seen = in_context(1000, 0.5, 0.1)
    for width in (4, 4, 4, 4, 8, 8, 8, 8):
        gpu.observe(width, seen[width])
    assert gpu.of(32) == pytest.approx(seen[32], rel=0.15)


def test_a_context_that_costs_less_than_expected_is_found_out_in_narrow_steps_too():
    costs = StepCosts()
    for width in (1, 2, 4, 8, 16, 32):
        costs.measured(width, 10 + 0.8 * (width - 1))
    costs.measured_plain(9.5)
    costs.enter(2000)
    for _ in range(40):
        costs.observe(1, 10 + 2 * 0.8, work_ms=0.5)
    assert costs.context.per_row == pytest.approx(0.8, abs=0.25)
    assert costs.of(8) < 1.5 * (15.6 + 2 * 8 * 0.8)


def test_nothing_a_context_is_thought_to_add_is_less_than_nothing():
    costs = measured()
    costs.enter(1000)
    for _ in range(50):
        costs.observe(8, 12.0)
    assert costs.context.per_step >= 0 and costs.context.per_row >= 0
    assert costs.of(8) == pytest.approx(12.0, rel=0.05)
    costs.enter(3000)
    assert costs.of(64) > 0


def test_what_a_prompt_costs_the_first_steps_is_not_the_contexts():
    costs = StepCosts(shared=True)
    costs.measured(1, 1.2, change_ms=5.0)
    costs.measured(4, 1.4)
    costs.measured(8, 1.6)
    costs.begin()
    costs.observe(1, 6.0)
    costs.begin()
    costs.enter(700)
    for ms in (5.0, 3.0, *[1.5] * 10):
        costs.observe(4, ms)
    assert costs.of(8) < 2
