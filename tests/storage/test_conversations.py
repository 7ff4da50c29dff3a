"""Conversations: titles, lists, deleting, and the store that holds them."""

import threading
import time
from contextlib import closing

import pytest

from trchat.errors import UsageError
from trchat.storage.conversation_rows import TITLE_LENGTH, title_from
from trchat.storage.conversations import UNDO_DAYS, ConversationStore, history_file, open_history
from trchat.storage.database import StorageError
from trchat.storage.records import UnknownIdError


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


def test_what_was_deleted_is_neither_the_last_one_nor_to_be_had_by_its_number(store):
    with pytest.raises(UnknownIdError, match="there is no conversation yet"):
        store.kept()
    first, second = store.create_conversation("first"), store.create_conversation("second")
    store.delete(second.id)
    assert (store.kept().id, store.kept(first.id).id) == (first.id, first.id)
    with pytest.raises(UnknownIdError, match="was deleted"):
        store.kept(second.id)
    store.restore(second.id)
    assert store.kept(second.id).id == second.id


def test_lists_show_the_last_used_first(store, clock):
    ids = []
    for _ in range(3):
        clock.now += 1
        ids.append(store.create_conversation().id)
    assert [chat.id for chat in store.conversations()] == ids[::-1]
    clock.now += 1
    store.add_message(ids[0], "user", "again")
    assert store.kept().id == ids[0]
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


def test_what_was_deleted_long_ago_leaves_the_users_history(home, clock):
    """Deleting in the chat can be undone for some days; then the words are gone from the file."""
    with closing(ConversationStore(history_file(), pytest.fail, clock)) as store:
        for word, days_ago in (("longago", UNDO_DAYS + 1), ("lately", UNDO_DAYS - 1)):
            clock.now = time.time() - days_ago * 24 * 3600
            chat = store.create_conversation(word)
            store.add_message(chat.id, "user", f"{word} " * 50)
            store.delete(chat.id)
    with closing(open_history(pytest.fail)) as store:
        assert store.restore(2).title == "lately"
        with pytest.raises(UnknownIdError):
            store.restore(1)
    data = history_file().read_bytes()
    assert b"longago" not in data and b"lately" in data
