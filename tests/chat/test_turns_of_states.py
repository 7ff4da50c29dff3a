"""Conversations with models that keep a state: what is known is not read again."""

import pytest

from tests.tiny_gguf import make
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import Settings

pytestmark = pytest.mark.slow

THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
SYSTEM = Turn("system", "Answer in the fewest words that will do.")
QUESTIONS = [Turn("user", f"What do you think of {what}?") for what in ("oaks", "elms", "firs and pines")]


@pytest.fixture(params=["qwen35", "granitehybrid", "mamba2"])
def engine(request, tmp_path):
    path = make(tmp_path / "tiny.gguf", request.param, template=THINKING)
    settings = Settings(threads=2, temp=0.0, draft="recycling", ctx=1024)
    with open_engine(path, settings, remember=Remember(read=False, write=False)) as engine:
        yield engine


def ask(engine, turns, max_tokens=24):
    answer = new_answer(1)
    for _ in engine.answer(turns, sampling_of(Settings(temp=0.0), 1), max_tokens, answer):
        pass
    return answer


def test_over_three_turns_of_thinking_all_but_the_last_answer_and_the_question_is_known(engine):
    turns, known = [SYSTEM], 0
    for question in QUESTIONS:
        turns.append(question)
        answer = ask(engine, turns)
        assert answer.cached_prompt_tokens >= known
        known = answer.prompt_tokens - len("<think>\n") - 1  # a letter a token, and the one before them
        turns.append(Turn("assistant", f"thought</think>of {question.content}"))
    assert known > 200


def test_the_same_question_again_and_another_in_its_place(engine):
    turns = [SYSTEM, QUESTIONS[0], Turn("assistant", "Fine."), QUESTIONS[1]]
    first = ask(engine, turns)
    assert first.cached_prompt_tokens == 0
    again = ask(engine, turns)
    assert again.token_ids == first.token_ids
    assert again.cached_prompt_tokens == first.prompt_tokens - 1
    edited = ask(engine, [*turns[:-1], QUESTIONS[2]])
    assert first.prompt_tokens - 60 < edited.cached_prompt_tokens < first.prompt_tokens
    elsewhere = ask(engine, [SYSTEM, QUESTIONS[2]])
    assert 40 < elsewhere.cached_prompt_tokens < first.prompt_tokens - 60
    engine.forget()
    assert ask(engine, [SYSTEM, QUESTIONS[2]]).token_ids == elsewhere.token_ids
    engine.forget()
    assert ask(engine, turns).token_ids == first.token_ids


def test_an_answer_that_was_left_is_no_obstacle(engine):
    turns = [SYSTEM, QUESTIONS[0]]
    first = ask(engine, turns)
    answer = new_answer(1)
    events = engine.answer(turns, sampling_of(Settings(temp=0.0), 1), 24, answer)
    for _, _ in zip(range(6), events, strict=False):
        pass
    events.close()
    again = ask(engine, turns)
    assert (again.token_ids, again.cached_prompt_tokens) == (first.token_ids, first.prompt_tokens - 1)
