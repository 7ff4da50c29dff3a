"""The sampler chain: what each of its parts keeps, and that it needs to see no more than a few tokens."""

from functools import partial

import numpy as np
import pytest

from tests.tiny_gguf import add_vocabulary, make
from trchat.decoding.kv_cache import KVCache
from trchat.errors import TrchatError
from trchat.llama.context import Context, ContextOptions
from trchat.llama.grammar_sampler import CANDIDATE
from trchat.llama.model import Model
from trchat.llama.sampler import SamplerChain
from trchat.llama.sampling import Sampling
from trchat.recycling.topk import CONTENDER, MOST_CONTENDED, Contenders
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


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A context of a model with some thousand tokens, and the row that its samplers read."""
    words = [f"word{number}" for number in range(5000)]
    path = make(
        tmp_path_factory.mktemp("wide") / "wide.gguf",
        vocabulary=partial(add_vocabulary, user_defined=words),
    )
    with Model(path) as model, Context(model, ContextOptions(threads=1)) as context:
        yield context, KVCache(context).verify(PROMPT[:1], EMPTY_TREE)[0]


def rows_to_choose_from(n_vocab):
    """Logits of all sorts, with ties wherever there can be any."""
    random = np.random.default_rng(0)
    gauss = random.standard_normal(n_vocab).astype(np.float32) * 3
    yield gauss
    yield np.sort(gauss)
    yield np.sort(gauss)[::-1].copy()
    yield np.zeros(n_vocab, np.float32)
    for levels in (2, 7, 60):
        yield random.integers(-levels, levels, n_vocab).astype(np.float32) / 4
    for share in (0.5, 0.999):
        row = gauss.copy()
        row[random.random(n_vocab) < share] = -np.inf
        yield row
    yield np.full(n_vocab, -np.inf, np.float32)
    for value in (np.nan, np.inf):
        for places in ([5], [n_vocab - 3], [39, 40, 4200]):
            row = random.integers(-9, 9, n_vocab).astype(np.float32)
            row[places] = value
            yield row


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("grammar", ["", "root ::= [a-z0-9]*"])
@pytest.mark.parametrize("penalty", [1.0, 1.3, 0.7])
@pytest.mark.parametrize("top_k", [0, 2, 40, MOST_CONTENDED, MOST_CONTENDED + 1, 1 << 20])
def test_seeing_only_what_may_be_among_the_first_changes_nothing(wide, top_k, penalty, grammar):
    context, row = wide
    contenders = Contenders(len(row))
    for seed, given in enumerate(rows_to_choose_from(len(row))):
        temperature, (top_p, min_p) = (
            (0.0, 0.7, 1.5)[seed % 3],
            ((0.95, 0.05), (1, 0), (0.5, 0), (1, 0.2))[seed % 4],
        )
        sampling = Sampling(temperature, top_k, top_p, min_p, penalty, seed, grammar)
        found = []
        for how in (None, contenders):
            with SamplerChain(context, sampling, np.arange(0, 5000, 100).tolist(), contenders=how) as chain:
                tokens = []
                for turn in range(4):
                    row[:] = np.roll(given, 1000 * turn)
                    try:
                        tokens.append(chain.sample(0, row))
                    except TrchatError:  # a row of nothing but -inf, to a grammar
                        tokens.append(None)
            found.append(tokens)
        assert found[0] == found[1], seed


def test_a_few_are_seen_of_a_row_of_logits(wide, either_way):
    """Or nothing would be gained."""
    row = np.random.default_rng(1).standard_normal(len(wide[1])).astype(np.float32)
    assert 40 <= Contenders(len(row)).find(row, 40, np.array([7, 5000], np.int32)) < len(row) * 0.9
    assert CONTENDER == CANDIDATE
