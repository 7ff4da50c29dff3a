"""However long a conversation has grown, a step's drafting and learning is the same work."""

import random
import sys

import numpy as np
import pytest

from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.drafter import Drafter, LookupDrafter, RecyclingDrafter, Verified
from trchat.recycling.knowledge import Knowledge

pytestmark = pytest.mark.usefixtures("either_way")

N_VOCAB = 64
STEPS = 40


def text(length: int) -> list[int]:
    """Tokens of which some follow others more often, as words do."""
    chance = random.Random(1)
    tokens = [0]
    for _ in range(length - 1):
        tokens.append((3 * tokens[-1] + chance.choice((1, 1, 1, 5, 17))) % N_VOCAB)
    return tokens


def work(drafter: Drafter, length: int) -> float:
    """Lines of Python run and functions called, a step, behind ``length`` tokens of text."""
    whole = text(length + STEPS)
    drafter.begin(whole[:length])
    count = 0

    def trace(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "line")
        return trace

    rows = np.random.default_rng(1).normal(size=(STEPS + 80, N_VOCAB)).astype(np.float32)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for number in range(STEPS):
            tree = drafter.draft(80)
            root, said = whole[length + number - 1], whole[length + number]
            width = 1 + len(tree)
            drafter.learn(Verified(root, tree, rows[number : number + width], (), (said,), width))
    finally:
        sys.settrace(before)
    return count / STEPS


@pytest.mark.parametrize(
    "make",
    [
        lambda: AutoDrafter(Knowledge(), width=8),
        LookupDrafter,
        lambda: RecyclingDrafter(AdjacencyMatrix(N_VOCAB)),
    ],
    ids=["auto", "lookup", "recycling"],
)
def test_a_step_behind_ten_thousand_tokens_is_as_much_work_as_behind_five_hundred(make):
    short, long = work(make(), 500), work(make(), 10_000)
    assert long < 1.15 * short, f"{short:.0f} lines a step, then {long:.0f}"
