"""Chains on tiny random models of architectures that keep a state: the same text, and the way back."""

import numpy as np
import pytest

from tests.tiny_gguf import make
from trchat.decoding.loop import generate
from trchat.decoding.state_cache import StateCache
from trchat.llama.context import Context, ContextOptions
from trchat.llama.model import Model
from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.drafter import LookupDrafter, NoDrafter, RecyclingDrafter
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.tree import chain_tree

pytestmark = pytest.mark.slow

ROLLED_BACK = ("qwen35", "lfm2", "nemotron_h")
COPIED = (*ROLLED_BACK, "granitehybrid", "mamba2", "mamba")
WAYS = [(arch, 4) for arch in ROLLED_BACK] + [(arch, 0) for arch in COPIED]
PROMPT = np.random.default_rng(3).integers(3, 200, 600).tolist()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {arch: make(folder / f"{arch}.gguf", arch) for arch in COPIED}


@pytest.fixture(params=WAYS, ids=[f"{arch}-{'rolled-back' if n else 'copied'}" for arch, n in WAYS])
def cache(request, models):
    arch, snapshots = request.param
    options = ContextOptions(n_ctx=1024, snapshots=snapshots, threads=2)
    with Model(models[arch], 0) as model, Context(model, options) as context:
        assert model.drafts == "chains"
        assert context.snapshots == snapshots
        yield StateCache(context, 1 << 26)


def answer(cache, drafter, prompt, max_tokens=60, points=()):
    cached = cache.reuse(prompt)
    list(cache.prefill(prompt[cached:-1], points))
    steps = list(generate(cache, drafter, lambda _, row: int(row.argmax()), prompt, max_tokens=max_tokens))
    return [token for step in steps for token in step.tokens], steps, cached


def test_whatever_is_drafted_the_text_is_the_same(cache):
    off, *_ = answer(cache, NoDrafter(), PROMPT, points=[599])
    assert len(set(off)) > 20  # it says something
    drafters = {
        "lookup": LookupDrafter(),
        "recycling": RecyclingDrafter(AdjacencyMatrix(cache.context.model.n_vocab)),
        "auto": AutoDrafter(Knowledge(), width=4, chains=True),
    }
    for mode, drafter in drafters.items():
        for _ in range(2):  # the second time, it knows what came
            said, steps, cached = answer(cache, drafter, PROMPT)
            assert said == off, mode
            assert cached == 599
            assert all(step.tree.chain == len(step.tree) for step in steps)
        if mode != "lookup":  # which knows nothing of other texts
            assert sum(step.accepted for step in steps) >= 5, mode


def test_rows_of_a_chain_are_those_of_single_tokens(cache):
    list(cache.prefill(PROMPT[:300]))
    guess = np.array(PROMPT[301:305], np.int32)
    together = cache.verify(PROMPT[300:301], chain_tree(guess)).copy()
    cache.truncate(0)
    list(cache.prefill(PROMPT[:300]))
    for row in range(5):
        alone = cache.verify(PROMPT[300 + row : 301 + row], chain_tree(guess[:0]))
        assert np.abs(alone[0] - together[row]).max() < 0.05
        cache.keep(())


def test_the_next_turn_and_an_edited_one_read_only_what_is_new(cache):
    first, *_ = answer(cache, NoDrafter(), PROMPT[:100], points=[40, 90, 99])
    second = [*PROMPT[:100], *first, *PROMPT[200:230]]
    said, _, cached = answer(cache, NoDrafter(), second, points=[len(second) - 1])
    assert cached >= 100 + len(first) - 1
    edited = [*PROMPT[:95], *PROMPT[300:320]]
    other, _, cached = answer(cache, NoDrafter(), edited)
    assert cached == 90
    cache.truncate(0)
    assert answer(cache, NoDrafter(), edited)[0] == other
    cache.truncate(0)
    assert answer(cache, NoDrafter(), second)[0] == said
