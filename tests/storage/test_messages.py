"""Messages: answers while they are written, and the branches that editing and regenerating make."""

import sqlite3

import pytest

from trchat.storage.conversations import ConversationStore
from trchat.storage.records import UnknownIdError


def texts(messages):
    return [message.text for message in messages]


def test_an_answer_is_stored_with_everything_about_it(store, chat, clock, file):
    _, question, begun = chat
    clock.now += 2
    kept = store.finish_answer(
        begun.id,
        "Ray\0leigh 🎉",
        "length",
        reasoning="hm",
        prompt_tokens=12,
        completion_tokens=34,
        tokens_per_s=56.5,
    )
    store.close()
    with_new_eyes = ConversationStore(file, pytest.fail)
    answer = with_new_eyes.message(begun.id)
    with_new_eyes.close()
    assert kept
    assert (answer.parent_id, answer.role, answer.text) == (question.id, "assistant", "Ray\0leigh 🎉")
    assert (answer.reasoning, answer.model, answer.settings) == ("hm", "smol", {"temp": 0.5})
    assert (answer.prompt_tokens, answer.completion_tokens, answer.tokens_per_s) == (12, 34, 56.5)
    assert (answer.finish_reason, answer.interrupted) == ("length", False)
    assert answer.finished_at - answer.created_at == 2


def test_editing_makes_a_branch_and_loses_nothing(store, chat):
    conversation, question, answer = chat
    edited = store.edit_message(question.id, "Why is the sea blue?")
    assert texts(store.thread(conversation.id)) == ["Be brief.", "Why is the sea blue?"]
    assert store.message(question.id).text == "Why is the sky blue?"
    assert store.branches(conversation.id)[question.parent_id] == [question.id, edited.id]
    assert texts(store.thread(conversation.id, answer.id)) == [
        "Be brief.",
        "Why is the sky blue?",
        "Scattering.",
    ]


def test_editing_the_very_first_message_makes_a_second_root(store, chat):
    conversation, _, _ = chat
    root = store.thread(conversation.id)[0]
    edited = store.edit_message(root.id, "Be long.")
    assert store.branches(conversation.id)[None] == [root.id, edited.id]
    assert (edited.role, edited.parent_id) == ("system", None)
    assert texts(store.thread(conversation.id)) == ["Be long."]


def test_regenerating_makes_a_branch_and_switching_remembers(store, chat, file):
    conversation, question, first = chat
    second = store.begin_answer(question.id)
    store.finish_answer(second.id, "Rayleigh.", "stop")
    follow_up = store.add_message(conversation.id, "user", "Who?")
    assert follow_up.parent_id == second.id
    store.select_branch(first.id)
    assert texts(store.thread(conversation.id))[-1] == "Scattering."
    store.select_branch(second.id)
    assert texts(store.thread(conversation.id))[-2:] == ["Rayleigh.", "Who?"]
    store.select_branch(first.id)
    store.close()
    later = ConversationStore(file, pytest.fail)
    assert later.conversation(conversation.id).active_leaf == first.id
    assert len(later.messages(conversation.id)) == 5
    later.close()


def test_a_message_can_be_put_after_any_other_of_its_conversation(store, chat):
    conversation, question, _ = chat
    added = store.add_message(conversation.id, "user", "Another way", parent_id=question.id)
    assert added.parent_id == question.id
    other = store.create_conversation()
    with pytest.raises(UnknownIdError, match="no message"):
        store.add_message(other.id, "user", "x", parent_id=question.id)
    assert store.conversation(other.id).messages == 0


def test_the_end_of_a_long_thread(store, chat):
    conversation = chat[0]
    assert texts(store.thread(conversation.id, last=2)) == ["Why is the sky blue?", "Scattering."]


def test_five_thousand_messages_are_read_in_full(store):
    """No recursion limit of SQLite or Python stands in the way; removal works along the whole chain."""
    chat = store.create_conversation()
    with sqlite3.connect(store.path) as db:
        db.executemany(
            """INSERT INTO messages (id, conversation_id, parent_id, role, text, created_at, finished_at)
               VALUES (?, ?, ?, 'user', ?, 0, 0)""",
            [(n, chat.id, n - 1 or None, f"word{n} " * 40) for n in range(1, 5001)],
        )
        db.execute("UPDATE conversations SET active_leaf = 5000")
    db.close()
    assert [message.id for message in store.thread(chat.id)] == list(range(1, 5001))
    assert store.search("word4321")[0].message_id == 4321
    store.select_branch(1)
    assert store.conversation(chat.id).active_leaf == 5000
    store.remove(chat.id)
    assert store.conversations() == []


def test_an_answer_counts_as_interrupted_until_it_is_finished(store, chat):
    _, question, _ = chat
    answer = store.begin_answer(question.id)
    assert store.message(answer.id).interrupted
    assert store.update_answer(answer.id, "Ray", "let me think")
    half = store.message(answer.id)
    assert (half.text, half.reasoning, half.interrupted) == ("Ray", "let me think", True)
    assert store.finish_answer(answer.id, "Rayleigh", "cancelled")
    assert not store.message(answer.id).interrupted


def test_a_late_autosave_does_not_undo_a_finished_answer(store, chat):
    answer = chat[2]
    assert not store.update_answer(answer.id, "Scat")
    assert store.message(answer.id).text == "Scattering."


def test_a_finished_answer_can_be_continued(store, chat):
    answer = chat[2]
    assert store.reopen_answer(answer.id)
    assert store.update_answer(answer.id, "Scattering. And")
    assert store.message(answer.id).interrupted
    store.finish_answer(answer.id, "Scattering. And more.", "stop")
    assert store.message(answer.id).text == "Scattering. And more."
