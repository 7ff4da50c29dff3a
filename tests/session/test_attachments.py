"""Files that go along with a question, and files that a conversation is saved as."""

import pytest

from trchat.errors import TrchatError, UsageError
from trchat.session import attachments
from trchat.session.attachments import complete_path, read_attachment, with_attachments
from trchat.session.save import save_markdown
from trchat.storage.conversations import ConversationStore


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_stands_above_the_question_it_is_about(place):
    (place / "a.txt").write_text("\nflour\n\n")
    (place / "b.py").write_text("```\n")
    files = [read_attachment("a.txt"), read_attachment(str(place / "b.py"))]
    assert with_attachments("Why?", files) == "a.txt:\n```\nflour\n```\n\nb.py:\n````\n```\n````\n\nWhy?"
    assert with_attachments("Why?", []) == "Why?"


def test_what_cannot_go_along_says_why(place, monkeypatch):
    monkeypatch.setattr(attachments, "SIZE_LIMIT", 10)
    (place / "folder").mkdir()
    (place / "binary").write_bytes(b"a\0b")
    (place / "long").write_text("x" * 11)
    for name, told in (
        ("folder", "folder is a folder"),
        ("binary", "binary is binary"),
        ("long", "long is too large: 11 B, at most 10 B"),
        ("missing\n", "cannot read missing␊: "),
        ("nul\0", "cannot read nul"),
    ):
        with pytest.raises(UsageError) as caught:
            read_attachment(name)
        assert str(caught.value).startswith(told) and "\n" not in str(caught.value)


def test_a_path_that_was_begun_is_completed(place):
    (place / "notes").mkdir()
    for name in ("notes.txt", "Other.txt", ".hidden", "notes/in.txt"):
        (place / name).touch()
    assert complete_path("no") == ["notes.txt", "notes/"]
    assert complete_path("") == ["notes.txt", "notes/", "Other.txt"]
    assert complete_path("notes/") == ["notes/in.txt"]
    assert complete_path(".h") == [".hidden"]
    assert complete_path("nowhere/x") == []
    assert complete_path("~nobody-here/") == []


@pytest.fixture
def store(tmp_path):
    store = ConversationStore(tmp_path / "home" / "conversations.db", pytest.fail)
    chat = store.create_conversation("Why is the sky blue?")
    store.add_message(chat.id, "user", "Why?")
    yield store
    store.close()


def test_a_conversation_is_saved_under_its_title_and_never_over_another_file(store, place):
    first, second = save_markdown(store, 1), save_markdown(store, 1)
    assert (first.name, second.name) == ("why-is-the-sky-blue.md", "why-is-the-sky-blue-2.md")
    assert first.parent == place and "Why?" in first.read_text("utf-8")
    with pytest.raises(UsageError, match="is there already; choose another name"):
        save_markdown(store, 1, first)
    with pytest.raises(TrchatError, match="cannot be written"):
        save_markdown(store, 1, place / "nowhere" / "x.md")
