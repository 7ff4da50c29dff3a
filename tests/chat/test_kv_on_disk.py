"""What was read is not read again: not after a restart, nor where another conversation begins alike."""

from contextlib import closing

import pytest
from gguf import GGMLQuantizationType

from tests.tiny_gguf import make
from trchat.chat import kv_on_disk
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import Settings
from trchat.errors import ContextError
from trchat.storage.conversations import open_history
from trchat.storage.states.owners import states_dir

pytestmark = pytest.mark.slow

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
    monkeypatch.setattr(kv_on_disk, "LEAST_S", 0.0)
    monkeypatch.setattr(kv_on_disk, "DISK_BYTES_PER_S", 1e12)


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
    for draft in ("auto", "off") if arch in ("llama", "qwen35") else ("auto",):
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


def test_another_conversation_that_begins_alike_reads_the_rest_only(tmp_path, conversation):
    path = make(tmp_path / "tiny.gguf")
    other = [SYSTEM, Turn("user", "Now about beeches.")]
    (cold,) = session(path, None, other, remember=COLD)
    session(path, conversation, FIRST)
    (woken,) = session(path, conversation, other)
    assert woken.token_ids == cold.token_ids
    assert 250 < woken.cached_prompt_tokens < cold.prompt_tokens - 10


def test_back_and_forth_between_conversations_in_one_session(tmp_path, conversation):
    """As clients of one server, or conversations of one chat: in memory, or by the disk."""
    path = make(tmp_path / "tiny.gguf")
    other = [Turn("user", "Something else altogether, and at some length, so that it is worth it.")]
    for remember, owner in ((Remember(), conversation), (Remember(False, False, memory=1 << 26), None)):
        with open_engine(path, settings(), remember=remember) as engine:
            first, second = ask(engine, FIRST), None
            for turns, before in ((other, None), (FIRST, first), (other, second)):
                engine.belongs_to(owner)
                answer = ask(engine, turns)
                if before is not None:
                    assert answer.token_ids == before.token_ids
                    assert answer.cached_prompt_tokens == answer.prompt_tokens - 1
                second = answer
        assert bool(pieces()) == (owner is not None)
        for file in pieces():
            file.unlink()


def test_nothing_is_kept_of_what_belongs_to_no_conversation(tmp_path, conversation):
    path = make(tmp_path / "tiny.gguf")
    for owner, how in ((None, {}), (conversation, {"remember": Remember(write=False)}), (999, {})):
        session(path, owner, FIRST, **how)
    assert not pieces()
    with closing(open_history(pytest.fail)) as store:
        store.delete(conversation)
    session(path, conversation, FIRST)
    assert not pieces()


def test_a_deleted_conversation_takes_its_states_along(tmp_path, conversation):
    path = make(tmp_path / "tiny.gguf")
    session(path, conversation, FIRST)
    assert pieces()
    with closing(open_history(pytest.fail)) as store:
        store.delete(conversation)
        assert not pieces()
        store.restore(conversation)
        session(path, conversation, FIRST)
        assert pieces()
        store.remove(conversation)
    assert not list(states_dir().glob("*/*"))


def test_no_more_is_kept_than_was_asked_for(tmp_path, conversation):
    path = make(tmp_path / "tiny.gguf")
    session(path, conversation, FIRST)
    assert len(pieces()) > 1
    session(path, conversation, FIRST, [THEN], kv_disk="100kB")
    assert sum(piece.stat().st_size for piece in pieces()) <= 100_000
    session(path, conversation, FIRST, kv_disk="0")
    assert not pieces()


@pytest.mark.parametrize("arch", ["llama", "qwen35"])
def test_a_damaged_state_is_read_anew(tmp_path, conversation, arch):
    path = make(tmp_path / "tiny.gguf", arch)
    (first,) = session(path, conversation, FIRST)
    piece = pieces()[-1]
    data = bytearray(piece.read_bytes())
    data[len(data) // 2] ^= 1
    piece.write_bytes(data)
    (again,) = session(path, conversation, FIRST)
    assert again.token_ids == first.token_ids
    assert again.cached_prompt_tokens < first.prompt_tokens - 10
    (woken,) = session(path, conversation, FIRST)
    assert (woken.token_ids, woken.cached_prompt_tokens) == (first.token_ids, first.prompt_tokens - 1)


def test_another_setting_s_states_are_not_taken(tmp_path, conversation):
    path = make(tmp_path / "tiny.gguf")
    session(path, conversation, FIRST)
    (other,) = session(path, conversation, FIRST, flash_attn="off")
    assert other.cached_prompt_tokens == 0


def test_a_smaller_context_takes_what_fits(tmp_path, conversation):
    path = make(tmp_path / "tiny.gguf")
    (first,) = session(path, conversation, FIRST)
    kept = pieces()
    (woken,) = session(path, conversation, FIRST, ctx=512)
    assert woken.token_ids == first.token_ids and woken.cached_prompt_tokens
    assert set(kept) <= set(pieces())


def test_what_is_read_in_no_time_is_not_written(tmp_path, conversation, monkeypatch):
    monkeypatch.setattr(kv_on_disk, "LEAST_S", 60.0)
    session(make(tmp_path / "tiny.gguf"), conversation, FIRST)
    assert not pieces()


def test_an_answer_that_never_came_to_be_owns_nothing(tmp_path, conversation):
    """What is in the cache belongs to the conversation before it."""
    with closing(open_history(pytest.fail)) as store:
        other = store.create_conversation("Too long").id
    with open_engine(make(tmp_path / "tiny.gguf"), settings(), remember=Remember()) as engine:
        ask(engine, FIRST)
        engine.belongs_to(conversation)
        with pytest.raises(ContextError):
            ask(engine, [Turn("user", "long " * 2000)])
        engine.belongs_to(other)
    assert {file.stem for file in states_dir().glob("*/*.json")} == {str(conversation)}


def test_a_pause_does_a_little_at_a_time(tmp_path, conversation):
    with open_engine(make(tmp_path / "tiny.gguf"), settings(), remember=Remember()) as engine:
        assert not engine.pause()
        ask(engine, FIRST)
        engine.belongs_to(conversation)
        rounds = 1
        while engine.pause():
            rounds += 1
        assert engine.disk_cache._store.wait(5.0)
        assert len(pieces()) == rounds > 1
    assert len(pieces()) == rounds + 1, "and the rest at the end"
