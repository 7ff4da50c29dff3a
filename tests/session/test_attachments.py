"""Files that go along with a question, and files that a conversation is saved as."""

import pytest

from tests.pdf_files import write_pdf
from trchat.errors import TrchatError, UsageError
from trchat.session import attachments
from trchat.session.attachments import (
    Attachment,
    attachments_of,
    complete_path,
    mentioned,
    read_attachment,
    with_attachments,
)
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
        ("long", "long is too large: 11 B; the limit is 10 B"),
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


def test_files_and_question_are_told_apart_again():
    files = [Attachment("a.txt", "flour\n\nwater"), Attachment("b.py", "```\n")]
    assert attachments_of(with_attachments("Why?\n\nAnd how?", files)) == (files, "Why?\n\nAnd how?")
    assert attachments_of(with_attachments("", files)) == (files, "")
    for text in ("Why?", "Look:\n```\nx\n``", ""):
        assert attachments_of(text) == ([], text)


def test_a_files_size_is_told():
    assert Attachment("a.txt", "x" * 4000).about == "a.txt (4.0 kB, about 1,000 tokens)"


def test_files_are_named_in_the_question(place):
    (place / "a.txt").write_text("flour")
    (place / "b.c").write_text("int x;")
    named = mentioned("Compare @a.txt, @b.c. And @a.txt (@nobody, me@a.txt, @, @folder/)")
    assert [each.name for each in named] == ["a.txt", "b.c"]
    (place / "c").write_bytes(b"\0")
    with pytest.raises(UsageError, match="c is binary"):
        mentioned("@c")


def test_an_encoding_that_was_guessed_is_said(place):
    (place / "old.txt").write_bytes(b"caf\xe9")
    said = []
    assert read_attachment("old.txt", said.append).text == "café"
    assert said == ["old.txt is not UTF-8; read as Windows-1252"]


def test_a_pdfs_text_is_read(place):
    write_pdf(place / "a.pdf", "Two cups of flour.")
    assert read_attachment("a.pdf").text == "Two cups of flour."
    write_pdf(place / "scan.pdf", "")
    with pytest.raises(UsageError, match=r"scan\.pdf is a PDF without text"):
        read_attachment("scan.pdf")
    (place / "broken.pdf").write_bytes(b"%PDF-1.4\nnonsense")
    with pytest.raises(UsageError, match=r"broken\.pdf cannot be read as a PDF"):
        read_attachment("broken.pdf")


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
    with pytest.raises(UsageError, match="already exists; choose another name"):
        save_markdown(store, 1, first)
    with pytest.raises(TrchatError, match="cannot be written"):
        save_markdown(store, 1, place / "nowhere" / "x.md")
