"""Questions and answers on their way to the disk and back as turns."""

import pytest

from trchat.chat.recorder import Recorder, turns_of, with_question
from trchat.chat.records import new_answer
from trchat.chat.template import Turn
from trchat.storage.conversations import ConversationStore
from trchat.storage.records import Message


def fail(line):
    raise AssertionError(line)


@pytest.fixture
def store(tmp_path):
    store = ConversationStore(tmp_path / "conversations.db", fail)
    yield store
    store.close()


def message(role, text):
    return Message(1, 1, None, role, text)


def recorder(store, warn=fail, system=None, **more):
    return Recorder(store, "Why?", system=system, model="Tiny", settings={"temp": 0.0}, warn=warn, **more)


def test_an_answer_cut_off_before_its_first_word_leaves_one_question():
    messages = [
        message("user", "a"),
        message("assistant", " "),
        message("user", "b"),
        message("assistant", "c"),
    ]
    assert turns_of(messages) == [Turn("user", "a\n\nb"), Turn("assistant", "c")]


def test_a_question_that_was_never_answered_is_asked_with_the_next():
    assert with_question([Turn("user", "a")], "b", None) == [Turn("user", "a\n\nb")]


def test_a_system_prompt_goes_first_and_there_is_one():
    turns = [Turn("system", "old"), Turn("user", "a"), Turn("assistant", "b")]
    assert with_question(turns, "c", "new") == [Turn("system", "new"), *turns[1:], Turn("user", "c")]
    assert with_question(turns, "c", None) == [*turns, Turn("user", "c")]


def test_nothing_is_written_before_the_beginning(store):
    recorder(store, system="S")
    assert store.conversations() == []


def test_what_is_not_ended_counts_as_interrupted(store):
    record = recorder(store, system="S")
    record.begin()
    record.begin()
    system, question, answer = store.messages(record.conversation)
    assert (system.role, question.text, answer.text) == ("system", "Why?", "")
    assert answer.interrupted
    assert answer.settings == {"temp": 0.0}


def test_an_answer_is_kept_without_its_reasoning_in_the_text(store):
    record = recorder(store)
    answer = new_answer(1)
    answer.text, answer.finish, answer.prompt_tokens = "<think>so</think>\n\nThat.", "stop", 5
    record.grow(answer)
    record.end(answer)
    kept = store.messages(record.conversation)[-1]
    assert (kept.text, kept.reasoning, kept.finish_reason, kept.prompt_tokens) == ("That.", "so", "stop", 5)
    assert not kept.interrupted


def test_an_error_is_marked_and_keeps_what_there_was(store):
    record = recorder(store)
    answer = new_answer(1)
    answer.text = "half"
    record.end(answer, "error")
    kept = store.messages(record.conversation)[-1]
    assert (kept.text, kept.finish_reason) == ("half", "error")


def test_a_conversation_goes_on_below_its_last_message(store):
    first = recorder(store)
    first.end(new_answer(1))
    second = recorder(store, conversation=first.conversation)
    second.end(new_answer(1))
    assert [each.role for each in store.thread(first.conversation)] == ["user", "assistant"] * 2


def test_what_cannot_be_saved_is_told_once_and_stops_nothing(store):
    told = []
    record = recorder(store, told.append, conversation=99)
    record.begin()
    record.grow(new_answer(1))
    record.end(new_answer(1))
    assert told == ["this answer is not saved: there is no conversation 99"]
