"""What is asked: from the command line, standard input, and files."""

import io
import os
import sys
import unicodedata

import pytest

from tests.pdf_files import write_pdf
from trchat.cli import question
from trchat.cli.question import read_question
from trchat.errors import UsageError


@pytest.fixture
def piped(monkeypatch):
    def pipe(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return pipe


def asked(words, files=(), **how):
    said = []
    return read_question(words, files, said.append, **how), said


def test_standard_input_comes_first_or_where_it_is_named_or_not_at_all(piped, tmp_path):
    (tmp_path / "a.txt").write_text("flour")
    a = str(tmp_path / "a.txt")
    piped(b"piped")
    assert asked(["Why?"], [a]) == ("piped\n\na.txt:\n```\nflour\n```\n\nWhy?", [])
    piped(b"piped")
    assert asked(["Why?"], [a, "-"])[0] == "a.txt:\n```\nflour\n```\n\npiped\n\nWhy?"
    piped(b"piped")
    assert asked(["Why?"], stdin=False)[0] == "Why?"
    with pytest.raises(UsageError, match="nothing to ask"):
        asked([], stdin=False)


def test_an_input_that_stays_open_without_a_word_is_told(monkeypatch):
    monkeypatch.setattr(question, "PATIENCE_S", 0.01)
    read, write = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(read, "r"))
    said = []

    def say(line):
        said.append(line)
        os.close(write)  # who reads this ends it

    assert read_question(["Hi"], (), say) == "Hi"
    assert said == ["reading standard input; </dev/null or --no-stdin for none"]


def test_what_terminals_write_is_text_and_guessed_encodings_are_said(piped, tmp_path):
    coloured = b"\x1b[31mred\x1b[0m \x1b]8;;https://example.org\x07link\x1b]8;;\x07\x0b"
    piped(coloured)
    assert asked(["Hi"])[0].startswith("\x1b[31mred")
    (tmp_path / "old").write_bytes(b"caf\xe9")
    piped(b"")
    text, said = asked(["Hi"], [str(tmp_path / "old")])
    assert "café" in text and said == [f"{tmp_path}/old is not UTF-8; read as Windows-1252"]


def test_a_pdf_is_read(piped, tmp_path):
    piped(b"")
    assert "Two cups" in asked(["Hi"], [str(write_pdf(tmp_path / "a.pdf", "Two cups"))])[0]


def test_letters_with_accents_find_each_other_however_they_are_spelled(here):
    from trchat.storage.conversations import open_history

    store = open_history(print)
    for text in ("Das Café ist groß", unicodedata.normalize("NFD", "Ein Café am See 한국")):
        store.add_message(store.create_conversation().id, "user", text)
    for query in ("café", unicodedata.normalize("NFD", "Café"), "+café"):
        assert len(store.search(query.lstrip("+"))) == 2, query
    assert len(store.search("한국")) == len(store.search(unicodedata.normalize("NFD", "한국"))) == 1
    store.close()


def test_a_system_prompt_from_a_file(tmp_path, home):
    from trchat.startup import prepare

    (tmp_path / "pirate.txt").write_text("Answer as a pirate.\n")
    assert prepare({"system": f"@{tmp_path}/pirate.txt"}).settings.system == "Answer as a pirate."
    with pytest.raises(UsageError, match="cannot read nowhere"):
        prepare({"system": "@nowhere"})
