"""The auto drafter in the loop: beside a GPU, and where little can be guessed."""

import numpy as np
import pytest

from tests.decoding.scripted import N_VOCAB, ScriptedContext, next_logits, plain_greedy
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.recycling import growth
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.cost import FixedCosts
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.topk import top_k_and_mass

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]


def greedy(_index, row):
    return int(row.argmax())


def text(steps):
    return [token for step in steps for token in step.tokens]


@pytest.fixture
def learned(monkeypatch):
    """The text behind each row that is learned, and the context that it is learned for."""
    found = []

    def noting(context, knowledge):
        learn = knowledge.learn
        searched = []

        def search(logits, k, **how):
            searched[:] = [context.said[row.tobytes()] for row in logits]
            return top_k_and_mass(logits, k, **how)

        def note(contexts, *args):
            found.extend(zip(searched, contexts.tolist(), strict=True))
            learn(contexts, *args)

        monkeypatch.setattr(growth, "top_k_and_mass", search)
        knowledge.learn = note
        return found

    return noting


@pytest.mark.parametrize("width", [None, 3, 8])
def test_what_is_learned_while_a_gpu_computes_is_learned_of_the_right_tokens(in_python, learned, width):
    """In Python, where it can be watched; the kernel does the same (tests/recycling/test_native.py)."""
    context = ScriptedContext(computes_apart=True, keeps_order=False, n_spare=0)
    knowledge = Knowledge()
    found = learned(context, knowledge)
    costs = FixedCosts({1: 10.0, 64: 11.0}, 0.0)
    for _ in range(3):  # more is drafted each time
        cache = KVCache(context)
        cache.reuse(PROMPT)
        list(cache.prefill(PROMPT[:-1]))
        drafter = AutoDrafter(knowledge, costs, width)
        steps = list(generate(cache, drafter, greedy, PROMPT, max_tokens=60))
        drafter.settle()
        assert text(steps) == plain_greedy(PROMPT, 60)
        context.clear()
    assert sum(step.accepted for step in steps) > 10
    assert len(found) > 60
    assert all(behind[:-4:-1] == known for behind, known in found)


def test_where_little_can_be_guessed_copies_are_sent_whole_and_every_step_teaches():
    """On a machine where each further token costs a third of a step, only what is nearly sure can pay."""
    costs = FixedCosts({1: 10.0, 2: 13.0, 4: 19.0, 64: 199.0}, 0.0)
    knowledge = Knowledge()
    random = np.random.default_rng(2)
    new = random.integers(0, N_VOCAB, 250).tolist()
    passage = random.integers(0, N_VOCAB, 30).tolist()
    written = [*new[:20], *passage, *new[20:30], *passage, *new[30:60], *passage, *new[60:]]
    so_far = list(PROMPT)

    def sample(_index, row):
        assert (row == next_logits(so_far)).all()
        so_far.append(written[len(so_far) - len(PROMPT)])
        return so_far[-1]

    cache = KVCache(ScriptedContext())
    list(cache.prefill(PROMPT[:-1]))
    steps, clocks = [], []
    for step in generate(cache, AutoDrafter(knowledge, costs), sample, PROMPT, max_tokens=len(written)):
        steps.append(step)
        clocks.append(knowledge.clock)
    assert text(steps) == written
    assert clocks == list(range(1, len(steps) + 1)), "each step is learned from"
    copied = [step for step in steps if step.accepted]
    assert sum(step.accepted for step in copied) > 30
    assert max(step.accepted for step in copied) > 5, "in long chains"
    assert {source for step in copied for source in step.tree.sources} == {"suffix"}
    took = sum(costs.of(step.width) for step in steps)
    assert took < 10.0 * len(written), "and so it was faster than plain decoding"
