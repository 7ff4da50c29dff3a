"""Answers of a model under a JSON Schema: they fit it, and no draft changes them."""

import json
from random import Random

import numpy as np
import pytest

from tests.grammar.random_schemas import Schemas
from tests.tiny_gguf import add_sentencepiece
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.drafting import make_drafter
from trchat.grammar.fit import fault
from trchat.grammar.schema import read_schema
from trchat.llama.context import Context, ContextOptions
from trchat.llama.model import Model
from trchat.llama.sampler import SamplerChain
from trchat.llama.sampling import Sampling
from trchat.recycling.cost import StepCosts

HOT = {"temperature": 1.5, "top_k": 0, "top_p": 1, "min_p": 0}
MODES = ("off", "lookup", "recycling", "auto")


class Writer:
    """A tiny random model that is fond of what closes a string, a list or an object: answers stay short."""

    def __init__(self, model, context):
        self.model, self.context = model, context
        self.cache = KVCache(context)
        self.prompt = model.tokenize("Hi")
        self.fond = np.zeros(model.n_vocab, np.float32)
        closers = [token for token in range(model.n_vocab) if model.piece(token) in (b'"', b"]", b"}")]
        self.fond[[*closers, *model.end_tokens]] = 7

    def write(self, schema, mode="off", n=300, **sampling):
        """The steps of an answer."""
        self.cache.truncate(0)
        list(self.cache.prefill(self.prompt[:-1]))
        drafter = make_drafter(mode, self.model.n_vocab, StepCosts())
        chosen = Sampling(**sampling, schema=schema.grammar)
        with SamplerChain(self.context, chosen, self.prompt) as chain:
            return list(
                generate(
                    self.cache,
                    drafter,
                    lambda index, row: chain.sample(index, row + self.fond),
                    self.prompt,
                    max_tokens=n,
                    ends=self.model.end_tokens.__contains__,
                    forced=chain.forced,
                )
            )

    def text(self, steps):
        return b"".join(map(self.model.piece, tokens(steps))).decode()


def tokens(steps):
    return [token for step in steps for token in step.tokens]


def writer_of(path):
    with Model(path, 0) as model, Context(model, ContextOptions(n_ctx=1024, threads=1)) as context:
        yield Writer(model, context)


@pytest.fixture(scope="module")
def writer(tiny):
    yield from writer_of(tiny())


@pytest.fixture(scope="module")
def sentencepiece_writer(tiny):
    """Texts of its vocabulary begin with a space."""
    yield from writer_of(tiny(vocabulary=add_sentencepiece))


def random_schema(seed):
    return read_schema(json.dumps(Schemas(Random(seed)).whole()), "x")


@pytest.mark.slow
def test_500_random_schemas_are_followed_at_high_temperature(writer):
    cut = 0
    for seed in range(1000, 1500):
        schema = random_schema(seed)
        steps = writer.write(schema, seed=seed, **HOT)
        if steps[-1].finish == "stop":
            assert fault(writer.text(steps), schema.text) is None, seed
        else:
            cut += 1
    assert cut < 10


@pytest.mark.parametrize("seed", range(2000, 2012))
def test_no_draft_changes_what_is_said(writer, seed):
    sampling = {"seed": seed, **HOT} if seed % 2 else {"temperature": 0, "repeat_penalty": 1.2}
    plain, *others = (tokens(writer.write(random_schema(seed), mode, **sampling)) for mode in MODES)
    assert all(ids == plain for ids in others)


@pytest.mark.parametrize("seed", range(3000, 3010))
def test_a_vocabulary_whose_texts_begin_with_a_space_is_fine_too(sentencepiece_writer, seed):
    schema = random_schema(seed)
    steps = sentencepiece_writer.write(schema, seed=seed, **HOT)
    assert steps[-1].finish == "length" or fault(sentencepiece_writer.text(steps), schema.text) is None
    assert tokens(sentencepiece_writer.write(schema, "auto", seed=seed, **HOT)) == tokens(steps)


ROW = {
    "type": "object",
    "properties": {"name": {"enum": ["north", "south"]}, "inhabitants": {"type": "boolean"}},
    "required": ["name", "inhabitants"],
    "additionalProperties": False,
}


def test_what_is_forced_needs_no_model(writer):
    schema = read_schema(json.dumps({"type": "array", "items": ROW, "minItems": 5, "maxItems": 5}), "x")
    steps = writer.write(schema, temperature=0)
    assert fault(writer.text(steps), schema.text) is None
    assert len(steps) < len(tokens(steps)) / 5


def test_an_answer_without_any_choice_takes_no_step(writer):
    steps = writer.write(read_schema('{"const": {"only": ["this"]}}', "x"), temperature=0)
    assert writer.text(steps) == '{"only": ["this"]}'
    assert (len(steps), steps[0].width, steps[0].finish) == (1, 0, "stop")


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_a_limit_cuts_what_is_forced_too(writer, n):
    schema = read_schema(json.dumps({"const": {"a long name without any choice": "and a long value"}}), "x")
    steps = writer.write(schema, n=n, temperature=0)
    assert len(tokens(steps)) == n
    assert steps[-1].finish == "length"


def test_more_may_be_forced_than_fits_into_a_batch(writer):
    long = "".join(Random(1).choices("abcdefgh ", k=700))
    schema = read_schema(
        json.dumps(
            {
                "type": "array",
                "prefixItems": [{"const": long}, {"type": "null"}],
                "minItems": 2,
                "maxItems": 2,
            }
        ),
        "x",
    )
    plain, *others = (writer.write(schema, mode, n=900, temperature=0) for mode in MODES)
    assert json.loads(writer.text(plain))[0] == long
    assert all(tokens(steps) == tokens(plain) for steps in others)


def test_a_name_is_not_written_twice(writer):
    schema = read_schema(
        json.dumps(
            {
                "type": "object",
                "additionalProperties": {"type": "null"},
                "patternProperties": {"^[ab]?$": {"type": "boolean"}},
                "minProperties": 6,
                "maxProperties": 6,
            }
        ),
        "x",
    )
    for seed in range(10):
        steps = writer.write(schema, seed=seed, **HOT)
        assert fault(writer.text(steps), schema.text) is None
