"""Grammars and schemas: what they allow, and that no draft changes what is said under them."""

import json

import numpy as np
import pytest

from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.drafting import make_drafter
from trchat.errors import TrchatError, UsageError
from trchat.llama.context import Context, ContextOptions
from trchat.llama.grammar import check_grammar, grammar_of_schema
from trchat.llama.grammar_sampler import SHORT_LIST, Candidates, GrammarSampler
from trchat.llama.model import Model
from trchat.llama.sampler import SamplerChain
from trchat.llama.sampling import Sampling
from trchat.recycling.cost import StepCosts

pytestmark = pytest.mark.slow

LIST = 'root ::= "[" item ("," item)* "]"\nitem ::= [0-9]+\n'
GREEDY = Sampling(temperature=0, grammar=LIST)
SAMPLINGS = [
    GREEDY,
    Sampling(temperature=0, repeat_penalty=1.3, grammar=LIST),
    Sampling(temperature=1.5, top_k=0, top_p=1, min_p=0, seed=3, grammar=LIST),
    Sampling(temperature=1.0, top_k=20, seed=5, repeat_penalty=1.1, grammar=LIST),
]


@pytest.fixture(scope="module")
def model(tiny):
    with Model(tiny()) as model:
        yield model


@pytest.fixture(scope="module")
def context(model):
    with Context(model, ContextOptions(n_ctx=512, threads=1)) as context:
        yield context


def write(model, context, sampling, mode="off", n=40):
    """An answer of ``n`` tokens, and how many drafted ones were right."""
    prompt = model.tokenize("Give me a list: 1,2,3")
    drafter = make_drafter(mode, model.n_vocab, StepCosts())
    cache = KVCache(context)
    cache.truncate(0)
    list(cache.prefill(prompt[:-1]))
    with SamplerChain(context, sampling, prompt) as chain:
        steps = list(
            generate(cache, drafter, chain.sample, prompt, max_tokens=n, end_tokens=model.end_tokens)
        )
    return [token for step in steps for token in step.tokens], sum(step.accepted for step in steps)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_answer_follows_the_grammar_and_no_draft_changes_it(model, context, sampling):
    ids, _ = write(model, context, sampling)
    text = b"".join(map(model.piece, ids)).decode()
    assert text.startswith("[")
    assert set(text) <= set("[],0123456789")
    for mode in ("lookup", "recycling", "auto"):
        assert write(model, context, sampling, mode)[0] == ids


def test_drafts_are_accepted_under_a_grammar(model, context):
    forced = Sampling(temperature=0, grammar='root ::= "abcabcabcabcabcabcabc"')
    plain, _ = write(model, context, forced)
    drafted, accepted = write(model, context, forced, "lookup")
    assert drafted == plain
    assert accepted > 0


def test_the_likeliest_allowed_token_is_taken(model, context):
    row = np.linspace(0, 1, model.n_vocab, dtype=np.float32)
    allowed = model.tokenize("7")[0]
    row[allowed] = 0.5  # ahead of the other digits or not, they count by their logits alone
    digits = [model.tokenize(digit)[0] for digit in "0123456789"]
    with SamplerChain(context, Sampling(temperature=0, grammar="root ::= [0-9]"), []) as chain:
        assert chain.sample(0, row) == max(digits, key=lambda token: row[token])


def test_only_the_end_may_follow_a_finished_grammar(model, context):
    row = np.linspace(0, 1, model.n_vocab, dtype=np.float32)
    with SamplerChain(context, Sampling(temperature=0, grammar='root ::= "a"'), []) as chain:
        assert model.piece(chain.sample(0, row)) == b"a"
        assert chain.sample(0, row) in model.end_tokens
        assert chain.sample(0, row) in model.end_tokens


def test_allowed_tokens_outside_the_short_list_are_found(demo_model):
    with Model(demo_model, 0) as model:
        beginnings = {"Paris"[:end].encode() for end in range(1, 6)}
        wanted = [token for token in range(model.n_vocab) if model.piece(token) in beginnings]
        assert len(wanted) >= 3
        row = np.arange(model.n_vocab, 0, -1, dtype=np.float32)
        row[wanted] = -5.0
        assert model.n_vocab > SHORT_LIST + len(wanted)
        sampler = GrammarSampler(model.vocab, 'root ::= "Paris"')
        try:
            assert not sampler.allows(int(row.argmax()))
            assert sampler.allows(wanted[0])
            assert set(sampler.candidates(row).array["id"].tolist()) == set(wanted)
        finally:
            sampler.close()
            sampler.close()


def test_a_grammar_that_allows_nothing_is_an_error(model, context, monkeypatch):
    row = np.zeros(model.n_vocab, np.float32)
    nothing = Candidates(np.arange(0, dtype=np.int32), row[:0]).array
    monkeypatch.setattr(GrammarSampler, "_allowed", lambda *_: nothing)
    with (
        SamplerChain(context, GREEDY, []) as chain,
        pytest.raises(TrchatError, match="allows nothing"),
    ):
        chain.sample(0, row)


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("root = x", "expecting ::="),
        ('start ::= "x"', "does not contain a 'root' symbol"),
        ("root ::= nothing", "Undefined rule identifier 'nothing'"),
        ('root ::= root "x" | "x"', "left recursion"),
        ('root ::= "x', "unexpected end of input"),
        ("root ::= [a", "unexpected end of input"),
        ('root ::= ("x"', "expecting ')'"),
        ('root ::= "x"{1000000000}', "sane defaults"),
        ('root ::= "\\q"', "unknown escape"),
        ('root ::= "a"\0', "null character"),
        ("(" * 200_000, "not a usable grammar"),
        ("root ::= " + "(" * 200_000 + '"x"' + ")" * 200_000, "not a usable grammar"),
        ("# nothing else\n", "not a usable grammar"),
    ],
)
def test_a_bad_grammar_is_one_line(grammar, reason, capfd):
    with pytest.raises(UsageError) as caught:
        check_grammar(grammar, "my.gbnf")
    message = str(caught.value)
    assert message.startswith("my.gbnf")
    assert reason in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_good_grammars_pass():
    check_grammar(LIST, "list")
    check_grammar('root ::= <think> "x"', "needs a vocabulary, which comes later")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("", "is not JSON"),
        ("{'a': 1}", "is not JSON"),
        ("[1]", "must be an object"),
        ('"text"', "must be an object"),
        ('{"$ref": "https://example.com/x"}', "not a JSON Schema that can be followed"),
        ('{"$ref": "#/nowhere"}', "not a JSON Schema that can be followed"),
        ('{"type": "wrong"}', "not a JSON Schema that can be followed"),
        ('{"type": "object", "properties": 7}', "not a JSON Schema that can be followed"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_schema_is_one_line(schema, reason):
    with pytest.raises(UsageError) as caught:
        grammar_of_schema(schema, "my.json")
    assert str(caught.value).startswith("my.json")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("control", ["\n", "\t", "\x1b", "\x7f", "\0"])
def test_no_string_of_a_schema_holds_a_control_character_as_it_is(model, control):
    """JSON has it escaped or not at all."""
    (token,) = model.tokenize(control)
    sampler = GrammarSampler(model.vocab, grammar_of_schema('{"type": "string"}', "x"))
    try:
        sampler.accept(model.tokenize('"')[0])
        assert sampler.allows(model.tokenize("a")[0])
        assert not sampler.allows(token)
    finally:
        sampler.close()


def test_a_schema_becomes_a_grammar_that_answers_fit(model, context):
    schema = {
        "type": "object",
        "properties": {"n": {"enum": [1, 2]}, "ok": {"type": "boolean"}},
        "required": ["n", "ok"],
    }
    grammar = grammar_of_schema(json.dumps(schema), "x")
    check_grammar(grammar, "x")
    ids, _ = write(model, context, Sampling(temperature=0, grammar=grammar), n=200)
    answer = json.loads(b"".join(map(model.piece, ids)))
    assert answer["n"] in (1, 2)
    assert isinstance(answer["ok"], bool)
