"""A state goes back to where it is wanted, or to where one was saved; on a context without a model."""

import numpy as np
import pytest

from tests.decoding.scripted import next_logits, plain_greedy
from tests.decoding.scripted_state import ScriptedState
from tests.decoding.test_loop import Oracle
from trchat.decoding.loop import generate
from trchat.decoding.saved_states import SavedStates
from trchat.decoding.state_cache import StateCache
from trchat.recycling.drafter import LookupDrafter
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree, chain_tree

PROMPT = [3, 1, 4, 1, 5]
BOTH = pytest.mark.parametrize("snapshots", [0, 4])


def chain(*tokens):
    return chain_tree(np.array(tokens, np.int32))


def cache_of(snapshots, prompt=PROMPT, points=(), budget=10_000, **context):
    cache = StateCache(ScriptedState(snapshots=snapshots, **context), budget)
    list(cache.prefill(prompt, points))
    return cache


def says(cache, token=9):
    """Whether the next logits are those of the text that the cache claims to hold."""
    logits = cache.verify([token], EMPTY_TREE)[0]
    good = bool((logits == next_logits([*cache.tokens, token])).all())
    cache.keep(())
    return good


@BOTH
@pytest.mark.parametrize("accepted", [0, 1, 2, 3])
def test_what_is_rejected_leaves_no_trace(snapshots, accepted):
    cache = cache_of(snapshots)
    logits = cache.verify([9, 2], chain(7, 6, 5))
    for row in range(4):
        assert (logits[row] == next_logits([*PROMPT, 9, 2, *[7, 6, 5][:row]])).all()
    kept = cache.keep(tuple(range(accepted)))
    known = [*cache.again, *[7, 6, 5][kept:accepted]]
    assert cache.tokens + known == [*PROMPT, 9, 2, *[7, 6, 5][:accepted]]
    if snapshots or accepted == 3:
        assert not known
    logits = cache.verify([*known, 8], chain(1))
    assert (logits[1] == next_logits([*PROMPT, 9, 2, *[7, 6, 5][:accepted], 8, 1])).all()


@BOTH
def test_any_drafts_at_any_rate_write_what_plain_decoding_writes(snapshots):
    random = np.random.default_rng(snapshots)
    for rate in (0.0, 0.5, 0.9, 1.0):
        cache = cache_of(snapshots)
        forced, text = [9], [*PROMPT, 9]
        for _ in range(30):
            n = int(random.integers(0, 6))
            guess = [
                token if random.random() < rate else int(random.integers(0, 16))
                for token in plain_greedy(text, max(n, 1))[:n]
            ]
            draft = cache.fitting(chain(*guess), len(forced))
            logits = cache.verify(forced, draft)
            path, emitted = [], []
            for row in range(1 + len(draft)):
                emitted.append(int(logits[row].argmax()))
                if row == len(draft) or draft.tokens[row] != emitted[-1]:
                    break
                path.append(row)
            kept = cache.keep(path)
            forced = [*cache.again, *emitted[kept:]]
            text += emitted
            assert cache.tokens + forced == text
        assert text == [*PROMPT, 9, *plain_greedy([*PROMPT, 9], len(text) - len(PROMPT) - 1)]


def test_a_chain_is_no_longer_than_there_are_snapshots():
    cache = cache_of(4)
    assert len(cache.fitting(chain(*range(9)), 1)) == 4
    cache.verify([9], chain(1, 2, 3, 4))
    assert cache.keep(()) == 0
    assert says(cache)


@BOTH
def test_of_a_tree_the_leading_chain_is_sent(snapshots):
    tree = DraftTree(np.array([2, 7, 8, 6], np.int32), np.array([ROOT, 0, ROOT, 1], np.int32))
    sent = cache_of(snapshots).fitting(tree, 1)
    assert (sent.tokens.tolist(), sent.parents.tolist()) == ([2, 7], [ROOT, 0])


def test_known_tokens_are_settled_before_there_are_too_many_of_them():
    context = ScriptedState()
    cache = StateCache(context)
    list(cache.prefill(PROMPT))

    class Wrong(LookupDrafter):
        def draft(self, room, n_forced=1):
            assert room > 0
            return chain(-1)

    text = [*PROMPT, 9]
    steps = list(generate(cache, Wrong(), lambda _, row: int(row.argmax()), text, max_tokens=60))
    assert [token for step in steps for token in step.tokens] == plain_greedy(text, 60)
    assert max(step.width for step in steps) <= 5
    assert 10 < sum(not step.drafted for step in steps) < 20


def test_a_model_whose_state_can_neither_go_back_nor_be_copied_drafts_nothing():
    context = ScriptedState()
    context.n_seq = 1
    cache = StateCache(context)
    assert cache.room_for_drafts(1) == 0
    assert len(cache.fitting(chain(1, 2), 1)) == 0


@BOTH
def test_the_loop_drafts_chains_and_writes_the_same(snapshots):
    cache = cache_of(snapshots, PROMPT[:-1])
    steps = list(generate(cache, Oracle(3), lambda _, row: int(row.argmax()), PROMPT, max_tokens=40))
    assert [token for step in steps for token in step.tokens] == plain_greedy(PROMPT, 40)
    assert sum(step.accepted for step in steps) >= 10


@BOTH
def test_a_prompt_goes_on_from_the_last_state_that_both_have(snapshots):
    cache = cache_of(snapshots, [1, 2, 3, 4, 5, 6, 7, 8], points=[3, 7, 99, 0, -4])
    assert list(cache.prefill([1, 1])) == [2]
    assert cache.reuse([1, 2, 3, 4, 5, 6, 7, 8, 9, 9]) == 7
    assert says(cache)
    assert cache.reuse([1, 2, 3, 4, 9, 9, 9, 9, 9]) == 3
    assert says(cache)
    assert cache.reuse([1, 2, 9]) == 0
    assert cache.tokens == []
    list(cache.prefill(PROMPT))
    assert says(cache)


@BOTH
def test_going_on_where_the_text_ends_needs_no_saved_state(snapshots):
    cache = cache_of(snapshots, budget=0)
    assert cache.reuse([*PROMPT, 6]) == 5
    assert says(cache)


def test_a_few_tokens_are_taken_back_by_snapshots():
    cache = cache_of(4, budget=0)
    assert cache.reuse(PROMPT) == 4  # the same question again
    assert cache.reuse(PROMPT[:3]) == 0  # not twice without a decode between
    list(cache.prefill(PROMPT))
    assert says(cache)
    assert cache.reuse(PROMPT) == 0  # the last batch had one token: it has left no snapshot of the one before
    list(cache.prefill(PROMPT))
    cache.verify([9], chain(1, 2, 3))
    cache.keep((0, 1, 2))
    assert cache.reuse([*PROMPT, 9, 1, 7]) == 7
    assert says(cache)


@BOTH
def test_a_step_that_was_never_settled_is_taken_back(snapshots):
    cache = cache_of(snapshots, points=[4])
    cache.verify([9], chain(1, 2))
    assert cache.reuse([*PROMPT, 6]) == 4  # a batch cannot be taken back as a whole
    assert says(cache)


@BOTH
def test_after_a_failed_batch_the_text_ends_where_a_state_was_saved(snapshots):
    cache = cache_of(snapshots, points=[4])
    cache.context.fail_at = cache.context.decodes + 1
    with pytest.raises(RuntimeError):
        cache.verify([9], chain(1, 2))
    assert cache.tokens == PROMPT[:4]
    assert says(cache)


def test_prefill_stops_where_states_are_saved():
    cache = cache_of(0, list(range(10)) * 30, points=[7, 130])
    assert cache.context.batches == [7, 123, 128, 42]
    assert cache.reuse([*(list(range(10)) * 13)[:131], 11]) == 130


def test_states_are_saved_within_the_budget():
    saved = SavedStates(30)
    for position in (4, 6, 14):
        saved.add(position, lambda: bytes(10))
    saved.add(14, lambda: bytes(10))
    assert saved.positions == [4, 6, 14]
    saved.add(19, lambda: bytes(10))
    assert saved.positions == [4, 14, 19]  # reading two tokens again is the cheapest
    saved.truncate(18)
    assert saved.last == (14, bytes(10))
    saved.add(99, lambda: bytes(31))
    assert saved.positions == [4, 14]
    saved.truncate(3)
    assert saved.last == (0, None)
