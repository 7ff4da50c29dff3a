"""Models of many architectures answer, and the same in every mode; turns are not read twice."""

import pytest

from tests.tiny_attention import ATTENTIVE
from tests.tiny_gguf import make
from tests.tiny_hybrids import HYBRIDS
from trchat.chat.engine import Engine
from trchat.chat.records import new_answer
from trchat.chat.settings import sampling_of
from trchat.chat.template import Turn
from trchat.config import settle
from trchat.llama.context import ContextOptions
from trchat.llama.model import Model

pytestmark = pytest.mark.slow

MODES = ("off", "lookup", "recycling", "auto")
GREEDY = sampling_of(settle({"temp": 0.0}), 1)
QUESTION = [Turn("user", "the thing that the man ran in")]
NEAR = 0.3
"""In logits; two tokens nearer than this may change places where kernels round by width."""


@pytest.fixture(scope="module", params=["llama", *ATTENTIVE, *HYBRIDS])
def engine(request, tmp_path_factory):
    file = make(tmp_path_factory.mktemp("zoo") / f"{request.param}.gguf", request.param)
    with Model(file, 0) as model, Engine(model, ContextOptions(n_ctx=1024, threads=2)) as engine:
        yield engine


def say(engine, turns, tokens=40):
    answer = new_answer(1)
    for _ in engine.answer(turns, GREEDY, tokens, answer):
        pass
    return answer


@pytest.mark.parametrize("question", ["the thing that the man ran in", "an inn " * 120])
def test_all_modes_say_the_same(engine, question):
    answers = {}
    for mode in MODES:
        engine.forget()
        engine.drafter = engine.make_drafter(mode)
        answers[mode] = say(engine, [Turn("user", question)])
    plain = answers["off"].token_ids
    assert len(plain) == 40 or answers["off"].finish == "stop"
    assert answers["off"].prompt_tokens > (600 if len(question) > 100 else 20)
    for answer in answers.values():
        if answer.token_ids == plain:
            continue
        assert not engine.context.attention.alike
        forked = next(n for n, (a, b) in enumerate(zip(answer.token_ids, plain, strict=True)) if a != b)
        prompt = engine.prompts.build([Turn("user", question)]).ids
        assert engine.margin([*prompt, *plain[:forked]]) < NEAR


def test_drafts_are_accepted(engine):
    engine.drafter = engine.make_drafter("recycling")
    first = say(engine, QUESTION)
    again = say(engine, QUESTION)  # whose every token has been seen before
    assert again.statistics.accepted > 0
    assert again.statistics.steps < len(again.token_ids)
    if engine.context.attention.alike:
        assert again.token_ids == first.token_ids


def test_an_answer_again_and_a_second_turn_read_what_is_new(engine):
    engine.forget()
    engine.drafter = engine.make_drafter("auto")
    first = say(engine, QUESTION)
    again = say(engine, QUESTION)
    assert again.cached_prompt_tokens == again.prompt_tokens - 1
    turns = [*QUESTION, Turn("assistant", first.text), Turn("user", "an")]
    second = say(engine, turns)
    # A state is kept from before the prompt's last token, from which an answer starts again.
    assert second.cached_prompt_tokens >= first.prompt_tokens - engine.model.keeps_state
