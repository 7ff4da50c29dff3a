"""The sampler chain: what each of its parts keeps."""

import numpy as np
import pytest

from trchat.decoding.kv_cache import KVCache
from trchat.llama.context import Context, ContextOptions
from trchat.llama.model import Model
from trchat.llama.sampler import SamplerChain
from trchat.llama.sampling import Sampling
from trchat.recycling.tree import EMPTY_TREE

PROMPT = [5, 6, 7, 8]


@pytest.fixture(scope="module")
def context(tiny):
    with Model(tiny()) as model, Context(model, ContextOptions(threads=1)) as context:
        yield context


@pytest.fixture
def row(context):
    cache = KVCache(context)
    cache.truncate(0)
    list(cache.prefill(PROMPT[:-1]))
    return cache.verify(PROMPT[-1:], EMPTY_TREE)[0]


def draw(context, row, sampling, n=1, prompt=PROMPT):
    with SamplerChain(context, sampling, prompt) as chain:
        return [chain.sample(0, row) for _ in range(n)]


def test_temperature_zero_takes_the_likeliest(context, row):
    assert draw(context, row, Sampling(temperature=0)) == [int(row.argmax())]


def test_the_same_seed_gives_the_same_draws(context, row):
    sampling = Sampling(temperature=2.0, top_k=0, top_p=1, min_p=0, seed=7)
    draws = draw(context, row, sampling, 50)
    assert draws == draw(context, row, sampling, 50)
    assert len(set(draws)) > 10
    assert draws != draw(context, row, Sampling(temperature=2.0, top_k=0, top_p=1, min_p=0, seed=8), 50)


def test_top_k_keeps_only_the_likeliest(context, row):
    best = set(np.argsort(-row)[:3].tolist())
    draws = draw(context, row, Sampling(temperature=5.0, top_k=3, top_p=1, min_p=0, seed=1), 60)
    assert set(draws) == best


def test_top_p_and_min_p_can_leave_one(context, row):
    best = {int(row.argmax())}
    assert set(draw(context, row, Sampling(temperature=1.0, top_p=0.0, seed=1), 20)) == best
    assert set(draw(context, row, Sampling(temperature=1.0, top_p=1, min_p=1.0, seed=1), 20)) == best


def test_the_repeat_penalty_counts_the_prompt_and_the_draws(context, row):
    greedy = int(row.argmax())
    sampling = Sampling(temperature=0, repeat_penalty=100.0)
    assert draw(context, row, sampling) == [greedy]
    first, second = draw(context, row, sampling, 2)
    assert first == greedy != second
    assert draw(context, row, sampling, prompt=[greedy]) != [greedy]
