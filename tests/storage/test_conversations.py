"""Conversations, their messages and branches."""

import threading

import pytest

from trchat.errors import UsageError
from trchat.storage.conversation_rows import TITLE_LENGTH, title_from
from trchat.storage.conversations import ConversationStore, history_file, open_history
from trchat.storage.database import StorageError
from trchat.storage.records import UnknownIdError


def texts(messages):
    return [message.text for message in messages]


@pytest.fixture
def chat(store):
    """System, question, answer."""
    chat = store.create_conversation()
    store.add_message(chat.id, "system", "Be brief.")
    question = store.add_message(chat.id, "user", "Why is the sky blue?")
    answer = store.begin_answer(question.id, "smol", {"temp": 0.5})
    store.finish_answer(answer.id, "Scattering.", "stop")
    return chat, question, answer


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


def test_a_conversation_knows_title_model_size_and_times(store, clock):
    started = clock.now
    chat = store.create_conversation()
    assert (chat.title, chat.messages, chat.active_leaf, chat.model) == ("", 0, None, None)
    clock.now += 5
    question = store.add_message(chat.id, "user", "  \n Why is\tthe sky   blue?\nTell me.")
    answer = store.begin_answer(question.id, "smol")
    chat = store.conversation(chat.id)
    assert (chat.title, chat.messages, chat.active_leaf, chat.model) == (
        "Why is the sky blue?",
        2,
        answer.id,
        "smol",
    )
    assert (chat.created_at, chat.updated_at) == (started, started + 5)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        ("\n \n", ""),
        ("short\nmore", "short"),
        ("x" * TITLE_LENGTH, "x" * TITLE_LENGTH),
        ("x" * 200, "x" * (TITLE_LENGTH - 1) + "…"),
        ("word " * 30, "word " * 10 + "word…"),
    ],
)
def test_titles(text, title):
    assert title_from(text) == title


def test_the_first_user_message_names_the_conversation_until_it_is_renamed(store, chat):
    conversation = chat[0]
    store.add_message(conversation.id, "user", "And the sea?")
    assert store.conversation(conversation.id).title == "Why is the sky blue?"
    assert store.rename(conversation.id, "Colours").title == "Colours"
    store.add_message(conversation.id, "user", "And grass?")
    assert store.conversation(conversation.id).title == "Colours"


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


def test_lists_show_the_last_used_first(store, clock):
    ids = []
    for _ in range(3):
        clock.now += 1
        ids.append(store.create_conversation().id)
    assert [chat.id for chat in store.conversations()] == ids[::-1]
    clock.now += 1
    store.add_message(ids[0], "user", "again")
    assert store.latest().id == ids[0]
    assert [chat.id for chat in store.conversations(limit=1, offset=1)] == [ids[2]]


def test_delete_can_be_undone_until_purged(store, chat, clock):
    conversation = chat[0]
    store.delete(conversation.id)
    assert store.conversations() == [] and store.search("sky") == []
    assert store.restore(conversation.id).deleted_at is None
    assert len(store.search("sky")) == 1
    store.delete(conversation.id)
    assert store.purge(before=clock.now) == 0
    assert store.purge(before=clock.now + 1) == 1
    with pytest.raises(UnknownIdError):
        store.restore(conversation.id)


def test_what_is_removed_takes_its_answers_with_it_and_nothing_else(store, chat):
    conversation, question, answer = chat
    other = store.create_conversation()
    kept = store.add_message(other.id, "user", "mine")
    store.remove(conversation.id)
    assert not store.update_answer(answer.id, "late")
    assert not store.finish_answer(answer.id, "late", "stop")
    with pytest.raises(UnknownIdError):
        store.message(question.id)
    assert store.message(kept.id).text == "mine"
    assert store.create_conversation().id > other.id


def test_removed_words_are_not_left_in_the_file(store, file):
    chat = store.create_conversation()
    other = store.create_conversation()
    store.add_message(other.id, "user", "harmlessword")
    for number in range(200):
        store.add_message(chat.id, "user", f"secretword{number} " * 50)
        if number % 50 == 0:
            store.search("secretword1")
    store.search("secretword1")
    store.remove(chat.id)
    store.close()
    data = file.read_bytes()
    assert b"secretword" not in data and b"harmlessword" in data


@pytest.mark.parametrize("unknown", [7, 0, -1, 2**63, 10**40])
def test_unknown_ids_are_the_users_error(store, unknown):
    for call in (
        lambda: store.conversation(unknown),
        lambda: store.rename(unknown, "x"),
        lambda: store.delete(unknown),
        lambda: store.restore(unknown),
        lambda: store.remove(unknown),
        lambda: store.add_message(unknown, "user", "x"),
        lambda: store.edit_message(unknown, "x"),
        lambda: store.begin_answer(unknown),
        lambda: store.message(unknown),
        lambda: store.messages(unknown),
        lambda: store.thread(unknown),
        lambda: store.select_branch(unknown),
    ):
        with pytest.raises(UnknownIdError) as raised:
            call()
        assert isinstance(raised.value, UsageError)


def test_text_that_utf8_cannot_hold_is_stored_all_the_same(store):
    chat = store.create_conversation("t\udcff")
    message = store.add_message(chat.id, "user", "a\udcffb")
    assert (store.conversation(chat.id).title, message.text) == ("t?", "a?b")
    assert store.search("\udcff") == [] or store.search("\udcff")[0].conversation_id == chat.id


def test_threads_share_one_store(store):
    chat = store.create_conversation()
    failures = []

    def talk(name):
        try:
            for number in range(25):
                store.add_message(chat.id, "user", f"{name} {number}")
                store.thread(chat.id)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.thread(chat.id)) == 100


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.conversations()


def test_memory_only(warnings, tmp_path):
    store = ConversationStore(None, warnings.append)
    chat = store.create_conversation("x")
    assert (store.path, store.conversation(chat.id).title, warnings) == (None, "x", [])
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_the_users_history_is_in_the_data_folder(home):
    store = open_history(pytest.fail)
    assert store.path == history_file() == home / "conversations.db"
    store.close()
    assert history_file().exists()


def test_five_thousand_messages_are_read_in_full(store):
    """No recursion limit of SQLite or Python stands in the way; removal works along the whole chain."""
    chat = store.create_conversation()
    import sqlite3

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
