"""What was read is not read again: not after a restart, nor where another conversation begins alike."""

from contextlib import closing

import pytest
from gguf import GGMLQuantizationType

from tests.tiny_gguf import make
from trchat.chat import waking
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import Settings
from trchat.storage.conversations import open_history
from trchat.storage.states.owners import states_dir

COLD = Remember(read=False, write=False)
SYSTEM = Turn("system", "Answer in the fewest words that will do, and in none where none will do. " * 4)
FIRST = [SYSTEM, Turn("user", "What do you think of oaks, and of the shade that they give in summer?")]
THEN = Turn("user", "And of elms?")
ATTENDING = ("llama", "gemma2", "gemma3", "gpt-oss", "deepseek2", "qwen3moe")
"""Layers that see all, or a window of 8 tokens; keys and values in one row; experts."""
STATES = ("qwen35", "granitehybrid", "mamba2")
"""Taken back by snapshots, by copies; without any attention."""


@pytest.fixture(autouse=True)
def everything_is_worth_keeping(monkeypatch):
    monkeypatch.setattr(waking, "LEAST_S", 0.0)
    monkeypatch.setattr(waking, "DISK_BYTES_PER_S", 1e12)


@pytest.fixture
def conversation():
    """A conversation that is on the disk."""
    with closing(open_history(pytest.fail)) as store:
        return store.create_conversation("Trees").id


def settings(**more):
    return Settings(**{"temp": 0.0, "threads": 1, "ctx": 1024, **more})


def ask(engine, turns, max_tokens=20):
    answer = new_answer(1)
    for _ in engine.answer(turns, sampling_of(Settings(temp=0.0), 1), max_tokens, answer):
        pass
    return answer


def session(path, conversation, *questions, remember=None, **more):
    """Have a conversation, each question behind the answer before it; all answers."""
    turns, answers = [], []
    with open_engine(path, settings(**more), remember=remember or Remember()) as engine:
        for question in questions:
            turns = [*turns, *question]
            answers.append(ask(engine, turns))
            engine.belongs_to(conversation)
            turns = [*turns, Turn("assistant", answers[-1].text)]
    return answers


def pieces():
    return sorted(states_dir().glob("*/*.kv"))


@pytest.mark.parametrize("arch", [*ATTENDING, *STATES])
def test_a_conversation_that_woke_up_says_the_same(tmp_path, conversation, arch):
    path = make(tmp_path / "tiny.gguf", arch)
    (first,) = session(path, conversation, FIRST)
    asleep = [*FIRST, Turn("assistant", first.text), THEN]
    (expected,) = session(path, None, asleep, remember=COLD, draft="off")
    for draft in ("off", "auto"):
        (woken,) = session(path, conversation, asleep, draft=draft)
        assert woken.token_ids == expected.token_ids
        assert woken.cached_prompt_tokens >= first.prompt_tokens - 1
    assert expected.cached_prompt_tokens == 0


@pytest.mark.parametrize("flash_attn", ["on", "off"])
def test_however_it_is_cached(tmp_path, conversation, flash_attn):
    """Values lie by token, or by channel."""
    path = make(tmp_path / "tiny.gguf", "llama", quantisation=GGMLQuantizationType.F16)
    (cold,) = session(path, None, FIRST, remember=COLD, flash_attn=flash_attn)
    session(path, conversation, FIRST, flash_attn=flash_attn)
    (woken,) = session(path, conversation, FIRST, flash_attn=flash_attn)
    assert (woken.token_ids, woken.cached_prompt_tokens) == (cold.token_ids, cold.prompt_tokens - 1)
