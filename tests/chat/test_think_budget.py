"""Reasoning ends after so many tokens, by the closer that the template has, whatever is drafted."""

import json
from functools import partial

import pytest

from tests.tiny_gguf import add_vocabulary, make
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.chat.thinking_switch import Prompting
from trchat.config import settle
from trchat.grammar.fit import objection
from trchat.grammar.schema import read_schema

CLOSING = "\n</think>\n\n"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>\n"
    "{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{{ '<think>\n' if enable_thinking is not false else '<think>\n\n</think>\n\n' }}{% endif %}"
)
TURNS = [Turn("user", "How many?")]


@pytest.fixture(scope="module", params=["control", "user_defined"])
def engine(request, tmp_path_factory):
    """A tiny model whose prompt opens its reasoning, with tags of either kind; it never closes it itself."""
    tags = ("<think>", "</think>")
    control = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    kinds = {"control": (*control, *tags)} if request.param == "control" else {"user_defined": tags}
    path = tmp_path_factory.mktemp("budget") / "tiny.gguf"
    make(path, template=TEMPLATE, vocabulary=partial(add_vocabulary, **kinds))
    settings = settle({"threads": 1, "ctx": 512, "draft": "off"})
    with open_engine(path, settings, remember=Remember(read=False, write=False)) as opened:
        yield opened


def written(engine, prompting, *, temp=0.0, draft="off", tokens=40, schema=""):
    engine.use_draft(draft)
    answer = new_answer(3)
    settings = settle({"temp": temp, "repeat_penalty": 1.1 if temp else 1.0})
    sampling = sampling_of(settings, 3, schema=schema)
    for _ in engine.answer(TURNS, sampling, tokens, answer, prompting=prompting):
        pass
    return answer


@pytest.mark.parametrize("temp", [0.0, 0.9])
@pytest.mark.parametrize("budget", [0, 1, 7])
def test_it_is_closed_after_so_many_tokens_in_every_draft_mode(engine, budget, temp):
    free = written(engine, Prompting(), temp=temp)
    assert free.text == "" and free.reasoning
    closing = engine.model.tokenize(CLOSING, parse_special=True)
    answer = written(engine, Prompting(think_budget=budget), temp=temp)
    ids = answer.token_ids
    end = next(at for at in range(len(ids)) if ids[at : at + len(closing)] == closing)
    assert budget <= end <= budget + 3  # a character is written to its end
    assert ids[:end] == free.token_ids[:end]
    assert CLOSING.strip() not in answer.reasoning and not answer.text.startswith(("\n", "<"))
    assert free.reasoning.startswith(answer.reasoning)
    assert answer.text.strip()
    for draft in ("lookup", "recycling", "auto"):
        drafted = written(engine, Prompting(think_budget=budget), temp=temp, draft=draft)
        assert (drafted.token_ids, drafted.reasoning, drafted.text) == (ids, answer.reasoning, answer.text)


def test_without_reasoning_nothing_is_closed(engine):
    off = written(engine, Prompting("off"))
    assert off.reasoning == ""
    assert written(engine, Prompting("off", think_budget=0)).token_ids == off.token_ids


def test_a_budget_that_is_not_used_up_changes_nothing(engine):
    assert written(engine, Prompting(think_budget=1000)).token_ids == written(engine, Prompting()).token_ids


@pytest.mark.parametrize("temp", [0.0, 0.9])
def test_a_schema_rules_the_answer_behind_the_reasoning(engine, temp):
    """Reasoning is free, its end is the template's, and what follows fits; with drafts and without."""
    content = {
        "type": "object",
        "properties": {"</think>": {"type": "integer", "minimum": 0, "maximum": 9}, "b": {"type": "boolean"}},
        "required": ["</think>", "b"],
        "additionalProperties": False,
    }
    schema = read_schema(json.dumps(content), "x").grammar
    free = written(engine, Prompting(), temp=temp)
    answer = written(engine, Prompting(think_budget=7), temp=temp, tokens=100, schema=schema)
    assert answer.reasoning and free.reasoning.startswith(answer.reasoning)
    assert (objection(answer.text, json.dumps(content)), answer.finish) == (None, "stop")
    for draft in ("lookup", "recycling", "auto"):
        drafted = written(
            engine, Prompting(think_budget=7), temp=temp, draft=draft, tokens=100, schema=schema
        )
        assert (drafted.token_ids, drafted.text) == (answer.token_ids, answer.text)
    off = written(engine, Prompting("off"), temp=temp, tokens=100, schema=schema)
    assert (off.reasoning, objection(off.text, json.dumps(content))) == ("", None)
