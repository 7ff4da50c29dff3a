"""How close ``auto`` comes to the best fixed width: a real model's answers, real machines' step times."""

import pytest

from tests.recycling.recorded import Clock, load, replay
from trchat.recycling import kernel
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.cost import LADDER, StepCosts
from trchat.recycling.knowledge import Knowledge

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(kernel.KERNEL is None, reason="in Python it takes minutes"),
]

# Milliseconds by width; of a change of width, and of an update and a recording of a GPU's launches.
# Measured on 2026-11-28.
MACHINES = {
    "H100, 8.2B Q4_K_M": (
        {1: 4.16, 2: 4.81, 3: 5.5, 4: 6.4, 6: 7.5, 8: 8.6, 16: 9.24, 24: 10.3, 32: 11.1, 48: 13.0, 64: 15.6},
        (1.4, 2.1, 6.5),
    ),
    "H100, 8.2B Q4_K_M, no CUDA graphs": (
        {1: 4.08, 2: 4.79, 3: 5.38, 4: 6.2, 6: 7.55, 8: 9.11, 16: 8.79, 24: 9.65, 32: 10.6, 64: 14.6},
        (0.9, 0.0, 0.0),
    ),
    "H100, 1.5B Q4_K_M": (
        {1: 2.02, 2: 2.48, 3: 2.77, 4: 3.08, 6: 3.55, 8: 4.12, 16: 5.2, 24: 5.9, 32: 6.4, 48: 7.42, 64: 8.5},
        (1.9, 1.6, 5.0),
    ),
    "8 Xeon cores, 1.5B Q4_K_M": (
        {1: 29.7, 2: 46.2, 3: 48.3, 4: 50.5, 6: 54.3, 8: 58.9, 16: 78.3, 24: 109.0, 32: 131.0, 64: 242.0},
        (0.3, 0.0, 0.0),
    ),
    "a flat curve": ({1: 10.0, 2: 10.5, 4: 11.5, 8: 13.5, 16: 16.0, 64: 40.0}, (0.3, 0.0, 0.0)),
}


def took(monkeypatch, machine, width, seed):
    """Milliseconds for all recorded answers, starting from nothing."""
    answers, n_vocab = load()
    curve, preparing = MACHINES[machine]
    clock = Clock()
    monkeypatch.setattr("trchat.recycling.auto.perf_counter", clock)
    costs = StepCosts(shared=True)
    for known in (1, 2, 3, 4, 8, 16, 32, 64):
        if known in curve:
            costs.measured(known, curve[known], preparing)
    drafter = AutoDrafter(Knowledge(), costs, width)
    return replay(answers, n_vocab, drafter, clock, curve, preparing, seed)


@pytest.mark.parametrize("machine", MACHINES)
def test_auto_is_hardly_behind_the_best_fixed_width_on_any_machine(monkeypatch, machine):
    """Where a GPU records launches, one width for all steps saves all changes: ``auto`` does not find it."""
    seeds = (0, 1, 2)
    auto = sum(took(monkeypatch, machine, None, seed) for seed in seeds) / len(seeds)
    fixed = {width: took(monkeypatch, machine, width, 0) for width in (1, 2, 4, 8, 16)}
    best = min(fixed, key=fixed.__getitem__)
    least = 0.92 if MACHINES[machine][1][2] else 0.97
    assert auto < fixed[best] / least, f"{auto:.0f} ms against {fixed[best]:.0f} at width {best}"
    assert set(fixed) < set(LADDER)
