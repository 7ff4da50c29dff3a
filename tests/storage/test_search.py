"""Finding words, whatever is typed."""

import random
import sqlite3

import pytest

from trchat.storage import search
from trchat.storage.conversations import ConversationStore

TEXTS = [
    "The sky is blue because light scatters.",
    'She said "hello" AND left; C++ or NOT, a_b 100% sure*',
    "日本語のテストです",
    "party 🎉 time, Zoë's café",
    "ÄRGER mit E-Mail-Ärger; Привет",
    "",
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A store in which every text was said, and what each message's number says."""
    warnings = []
    store = ConversationStore(tmp_path_factory.mktemp("told") / "conversations.db", warnings.append)
    chat = store.create_conversation("untold")
    yield store, {store.add_message(chat.id, "user", text).id: text for text in TEXTS}
    store.close()
    assert warnings == []


@pytest.fixture(params=["fts5", "scan"])
def found(request, told, monkeypatch):
    """Return the texts found, once by the index and once without FTS5."""
    store, texts = told
    if request.param == "scan":
        monkeypatch.setattr(search, "has_fts5", lambda connection: False)
        monkeypatch.setattr(search, "find_indexed", lambda *_: pytest.fail("the index was asked"))
    elif not store._database.read(search.has_fts5):
        pytest.skip("this SQLite has no FTS5")
    return lambda query: {TEXTS.index(texts[hit.message_id]) for hit in store.search(query)}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sky", {0}),
        ("SKY blue", {0}),
        ("blue sky", {0}),
        ("scatt", {0}),
        ("sky hello", set()),
        ('"hello"', {1}),
        ('"hello', {1}),
        ("hello AND left", {1}),
        ("C++", {1}),
        ("a_b", {1}),
        ("100%", {1}),
        ("sure*", {1}),
        ("NEAR(", set()),
        ("text:sky", set()),
        ("本語", {2}),
        ("🎉", {3}),
        ("café", {3}),
        ("CAFÉ", {3}),
        ("привет", {4}),
        ("mail-ärger", {4}),
        ("%", {1}),
        ("_", {1}),
        ("\\", set()),
        ("", set()),
        (" \t\n", set()),
        ("\0", set()),
        ("nothing-like-this", set()),
        ("x " * 5000, set()),
        ("x" * 100_000, set()),
    ],
)
def test_queries(found, query, expected):
    assert found(query) == expected


def test_no_query_is_an_error():
    """Random pieces of everything that means something to FTS5, LIKE, Unicode or the snippets' marks."""
    pieces = [
        *"aZ0 \"'*()^:+-~{}%_\\\0\x02\x03\n\t",
        "AND ",
        " NOT",
        "NEAR(",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "²",
        "語",
        "🎉",
    ]
    chance = random.Random(7)
    warnings = []
    store = ConversationStore(None, warnings.append)
    chat = store.create_conversation()
    for _ in range(300):
        query = "".join(chance.choices(pieces, k=chance.randint(1, 8)))
        store.add_message(chat.id, "user", query)
        for hit in store.search(query):
            assert all(0 <= start < end <= len(hit.snippet) for start, end in hit.marks), query
    store.close()
    assert warnings == []


def test_a_whole_message_of_words_is_found_by_itself(found):
    assert found(TEXTS[0]) == {0}


def test_a_snippet_marks_the_words_on_one_line(store):
    chat = store.create_conversation()
    store.add_message(chat.id, "user", "a\n" * 100 + "the blue\n\nsky above " + "z\n" * 100)
    for query in ("blue sky", "日本 blue"):
        store.add_message(chat.id, "user", "x " * 100 + "日本 blue\tday" + " y" * 100)
        (hit, *_) = store.search(query)
        assert "\n" not in hit.snippet and len(hit.snippet) < 250
        marked = {hit.snippet[start:end] for start, end in hit.marks}
        assert marked == set(query.split())


def test_changed_and_interrupted_answers_are_found_as_they_are_now(store):
    chat = store.create_conversation()
    question = store.add_message(chat.id, "user", "Tell me")
    answer = store.begin_answer(question.id)
    store.update_answer(answer.id, "apples")
    assert [hit.message_id for hit in store.search("apples")] == [answer.id]
    store.update_answer(answer.id, "pears")
    assert store.search("apples") == []
    store.finish_answer(answer.id, "pears and plums", "stop")
    assert [hit.message_id for hit in store.search("plums")] == [answer.id]


def test_titles_are_found_in_capitals_and_small_letters_of_any_script(store):
    chat = store.create_conversation()
    store.rename(chat.id, "Über ДЕРЕВЬЯ")
    for query in ("über", "ÜBER деревья", "дерев"):
        (hit,) = store.search(query)
        assert hit.conversation_id == chat.id and len(hit.marks) == len(query.split())


def test_titles_are_found_once_and_first(store):
    talk = store.create_conversation()
    store.add_message(talk.id, "user", "tax tax tax")
    named = store.create_conversation("My taxes")
    hits = store.search("tax")
    assert [(hit.conversation_id, hit.message_id is None) for hit in hits] == [
        (named.id, True),
        (talk.id, False),
    ]
    assert [hit.conversation_id for hit in store.search("tax", limit=1)] == [named.id]


DAMAGES = (
    "DELETE FROM message_index_content",
    "DELETE FROM message_index_config",
    "DELETE FROM message_index_data",
    "UPDATE message_index_data SET block = x'' WHERE id > 10",
    "UPDATE message_index_data SET block = x'ffffffffffffffffff'",
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("first", ["search", "finish", "remove"])
def test_a_damaged_index_is_made_anew(store, file, monkeypatch, damage, first):
    chat = store.create_conversation()
    message = store.add_message(chat.id, "user", "needle")
    other = store.create_conversation()
    question = store.add_message(other.id, "user", "hay")
    assert store.search("needle")
    store.close()
    with sqlite3.connect(file) as db:
        db.execute(damage)
    db.close()
    store = ConversationStore(file, pytest.fail)
    if first == "search":
        assert [hit.message_id for hit in store.search("hay")] == [question.id]
    elif first == "finish":
        assert store.finish_answer(store.begin_answer(question.id).id, "hay", "stop")
    else:
        store.remove(other.id)
    assert [hit.message_id for hit in store.search("needle")] == [message.id]
    monkeypatch.setattr(search, "find_scanning", lambda *_: pytest.fail("it was scanned for"))
    assert [hit.message_id for hit in store.search("needle")] == [message.id]
    store.close()


def test_messages_written_without_fts5_are_indexed_later(store, monkeypatch):
    chat = store.create_conversation()
    with monkeypatch.context() as without:
        without.setattr(search, "has_fts5", lambda connection: False)
        message = store.add_message(chat.id, "user", "needle")
        assert store.search("needle")
    monkeypatch.setattr(search, "find_scanning", lambda *_: pytest.fail("it was scanned for"))
    assert [hit.message_id for hit in store.search("needle")] == [message.id]
