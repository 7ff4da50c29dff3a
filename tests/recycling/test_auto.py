"""The auto drafter as a whole: what it drafts, learns, and leaves alone."""

import numpy as np
import pytest

from tests.decoding.scripted import N_VOCAB, ScriptedContext, plain_greedy
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.calibration import Calibration
from trchat.recycling.cost import FixedCosts, StepCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.tree import EMPTY_TREE

pytestmark = pytest.mark.usefixtures("either_way")

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]
CHEAP = {width: 10.0 + 0.01 * width for width in (1, 2, 4, 8, 16, 32, 64)}
DEAR = {width: 10.0 * width for width in (1, 2, 4, 8, 16, 32, 64)}


def write(drafter, prompt=PROMPT, max_tokens=60):
    cache = KVCache(ScriptedContext())
    list(cache.prefill(prompt[:-1]))
    return list(generate(cache, drafter, lambda _i, row: int(row.argmax()), prompt, max_tokens=max_tokens))


def text(steps):
    return [token for step in steps for token in step.tokens]


def test_the_text_is_that_of_plain_decoding_at_any_width():
    for width in (None, 2, 4, 16, 64):
        assert text(write(AutoDrafter(Knowledge(), width=width))) == plain_greedy(PROMPT, 60)


def test_a_fixed_width_bounds_the_tree():
    knowledge = Knowledge()
    for _ in range(3):
        steps = write(AutoDrafter(knowledge, width=8))
        assert max(step.drafted for step in steps) <= 7


def test_what_was_written_once_is_drafted_the_second_time():
    knowledge = Knowledge()
    costs = FixedCosts(CHEAP, 0.0)
    first = write(AutoDrafter(knowledge, costs))
    second = write(AutoDrafter(knowledge, costs))
    assert text(first) == text(second)
    assert len(second) < len(first)
    assert sum(step.accepted for step in second) > sum(step.accepted for step in first)


def test_nothing_is_drafted_where_it_cannot_pay_yet_rates_are_learned():
    knowledge = Knowledge()
    drafter = AutoDrafter(knowledge, FixedCosts(DEAR, 0.0))
    steps = write(drafter)
    assert sum(step.drafted for step in steps) == 0
    drafter.settle()
    assert knowledge.calibration.source_seen.sum() > Calibration().source_seen.sum() + 100
    assert knowledge.rows_learned > 20


def test_after_a_slow_machine_a_fast_one_drafts_at_once_with_learned_rates():
    knowledge = Knowledge()
    write(AutoDrafter(knowledge, FixedCosts(DEAR, 0.0)))
    steps = write(AutoDrafter(knowledge, FixedCosts(CHEAP, 0.0)))
    assert sum(step.accepted for step in steps) > 20


def test_two_runs_are_the_same_to_the_last_bit():
    def run():
        knowledge = Knowledge()
        steps = write(AutoDrafter(knowledge, FixedCosts(CHEAP, 0.3)), max_tokens=60)
        return [step.tree.tokens.tolist() for step in steps], knowledge.calibration.set_weights.tolist()

    assert run() == run()


def test_the_prompts_own_successions_are_drafted():
    # The answer repeats the prompt as soon as the scripted model loops; here the text itself is given.
    prompt = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]
    drafter = AutoDrafter(Knowledge(), FixedCosts(CHEAP, 0.0), width=8)
    drafter.begin(prompt)
    tree = drafter.draft(100)
    assert tree.tokens[: tree.chain].tolist()[:3] == [4, 5, 6]


def test_without_calibration_the_rates_stay_at_their_priors():
    knowledge = Knowledge()
    before = knowledge.calibration.set_weights.tolist()
    drafter = AutoDrafter(knowledge, width=8, without=frozenset({"calibration"}))
    write(drafter)
    drafter.settle()
    assert knowledge.calibration.set_weights.tolist() == before


def test_a_step_that_nothing_was_drafted_for_is_not_timed():
    costs = StepCosts()
    drafter = AutoDrafter(Knowledge(), costs)
    drafter.begin(PROMPT)
    logits = np.zeros((1, N_VOCAB), np.float32)
    tree = drafter.draft(10)
    assert len(tree) == 0  # nothing is known yet
    drafter.learn(Verified(PROMPT[-1], tree, logits, (), (7,)))
    known = costs.of(1)
    drafter.learn(Verified(7, EMPTY_TREE, logits, (), (8,)))  # as after the last token allowed
    assert costs.of(1) == known


def random_step(drafter, random, width):
    """Draft, and verify against random logits: nothing that is drafted is right."""
    tree = drafter.draft(width - 1)
    logits = random.normal(size=(1 + len(tree), N_VOCAB)).astype(np.float32)
    token = int(random.choice(np.setdiff1d(np.arange(N_VOCAB), tree.tokens)))
    return Verified(drafter._proposer.tokens[-1], tree, logits, (), (token,), 1 + len(tree))


def test_logits_that_the_next_step_has_overwritten_teach_nothing():
    random = np.random.default_rng(1)
    known = Knowledge()
    write(AutoDrafter(known, width=8))
    drafter = AutoDrafter(known, width=8)
    drafter.begin(PROMPT)
    for overwritten in (False, True):
        verified = random_step(drafter, random, 8)
        assert len(verified.tree)
        before = known.clock
        drafter.learn(verified, put_off=True)
        assert known.clock == before
        if overwritten:
            verified.logits[0] += 1
        drafter.catch_up()
        assert (known.clock == before) is overwritten


def test_a_token_that_nothing_was_guessed_for_labels_nothing_that_was_guessed_elsewhere():
    knowledge = Knowledge()
    drafter = AutoDrafter(knowledge, width=4)
    drafter.begin([1, 2, 3, 1, 2])
    assert drafter.draft(10).tokens.tolist() == [3, 1, 2]
    row = np.zeros((1, N_VOCAB), np.float32)
    drafter.learn(Verified(2, EMPTY_TREE, row, (), (7,)))
    drafter.learn(
        Verified(7, EMPTY_TREE, row, (), (8,))
    )  # the last token allowed: nothing was drafted for it
    drafter.settle()
    labels = knowledge.calibration.source_seen.sum() - Calibration().source_seen.sum()
    assert labels == len(knowledge.calibration.source_seen)  # of one guess: 3, by the suffix


def test_curves_that_differ_by_scale_alone_draft_alike():
    def widths(scale):
        costs = FixedCosts({1: 10 * scale, 2: 12 * scale, 4: 14 * scale, 64: 300 * scale}, 0.3 * scale)
        knowledge = Knowledge()
        knowledge.clock = 5000  # there was enough to learn from
        return [step.width for step in write(AutoDrafter(knowledge, costs), max_tokens=150)]

    assert widths(1.0) == widths(0.001) == widths(1000.0)


def test_the_work_of_a_step_is_told_apart_from_the_models_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("trchat.recycling.auto.perf_counter", lambda: now[0])
    told = []

    class Watched(StepCosts):
        def observe(self, width, milliseconds, learning_ms=0.0, drafting_ms=0.0):
            told.append((width, milliseconds, learning_ms, drafting_ms))
            return milliseconds + drafting_ms

    def slowly(work, seconds):
        def slow(*args):
            now[0] += seconds
            return work(*args)

        return slow

    drafter = AutoDrafter(Knowledge(), Watched(), width=4)
    drafter.begin([5, 6, 7])
    proposer = drafter._proposer
    monkeypatch.setattr(proposer, "grow", slowly(proposer.grow, 0.001))
    monkeypatch.setattr(proposer, "recycle", slowly(proposer.recycle, 0.002))
    drafter.draft(8)
    now[0] += 0.010
    drafter.learn(Verified(7, EMPTY_TREE, np.zeros((1, 700), np.float32), (), (3,), 1))
    assert told == [(1, pytest.approx(12.0), pytest.approx(2.0), pytest.approx(1.0))]
