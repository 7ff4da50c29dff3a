"""Answers are read token by token: characters, stops, ends, and what a sampler is told."""

import itertools
import unicodedata
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.chat.formats.interface import Marks, Place
from trchat.chat.formats.muse_glimmer import MuseGlimmer
from trchat.chat.formats.tags import TagFormat, Tags
from trchat.chat.reader import AnswerReader

TEXTS = [
    "plain",
    "naïve café",
    "日本語のテキスト",
    "🏳️‍🌈 family 👨‍👩‍👧‍👦 done",
    unicodedata.normalize("NFD", "Ångström é"),
    "a\u0301\u0323 combining",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
]


@dataclass
class Vocabulary:
    """Tokens by number; the last one ends a generation."""

    pieces: list
    end: int = -1
    end_tokens: set = field(default_factory=set)

    def piece(self, token):
        piece = self.pieces[token]
        return piece if isinstance(piece, bytes) else piece.encode()

    def tokenize(self, text, *, parse_special=False):
        """The longest pieces first."""
        ids = []
        while text:
            token = max(
                (each for each, piece in enumerate(self.pieces) if piece and text.startswith(piece)),
                key=lambda each: len(self.pieces[each]),
            )
            ids.append(token)
            text = text[len(self.pieces[token]) :]
        return ids


THINK = TagFormat(
    Tags(opening="<think>", opener="<think>", closing="</think>\n\n", closer="</think>"), Marks((), {}, ())
)
PLAIN = TagFormat(Tags(), Marks((), {}, ()))


def reader_of(pieces, format=PLAIN, tail="", stops=(), ends=()):
    return AnswerReader(Vocabulary(list(pieces), end_tokens=set(ends)), format, format.parser(tail), stops)


def streamed(raw, cuts):
    """What comes of bytes that are cut into tokens at these places: the parts, and the end."""
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    pieces = [raw[a:b] for a, b in itertools.pairwise(places)]
    reader = reader_of(pieces)
    for token in range(len(pieces)):
        assert not reader.take(token)
    parts = [said.text for said in reader.news()]
    reader.finish()
    return parts, "".join(said.text for said in reader.news()), reader.text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_characters_split_over_tokens_wait_for_their_last_byte(text, size):
    parts, rest, whole = streamed(text.encode(), range(0, len(text.encode()), size))
    assert not any("\ufffd" in part for part in parts)
    assert "".join(parts) + rest == text == whole


CUTS = st.lists(st.integers(0, 1000), max_size=12)


@given(st.text(st.characters(exclude_categories=["Cs", "Cn"])), CUTS)
def test_any_text_cut_anywhere_arrives_whole(text, cuts):
    parts, rest, whole = streamed(text.encode(), cuts)
    assert "".join(parts) + rest == text == whole


@given(st.binary(max_size=60), CUTS)
def test_where_bytes_are_cut_does_not_show_even_where_they_are_no_text(raw, cuts):
    parts, rest, _whole = streamed(raw, cuts)
    text = raw.decode("utf-8", "replace")
    assert "".join(parts) + rest == Marks.plain(text)


def test_an_unfinished_character_shows_only_at_the_end():
    parts, rest, _whole = streamed(b"ok \xf0\x9f\x98", [5])
    assert (parts, rest) == (["ok ", ""], "\ufffd")


def test_a_stop_text_never_shows_however_it_is_split():
    reader = reader_of(["one t", "wo EN", "D three", "!"], stops=("END", "###"))
    assert [reader.take(token) for token in range(3)] == [False, False, True]
    assert [said.text for said in reader.news()] == ["one t", "wo ", ""]
    assert reader.text == "one two "
    reader = reader_of(["a #", "# b", " EN"], stops=("END", "###"))
    assert [reader.take(token) for token in range(3)] == [False] * 3
    reader.finish()
    assert reader.text == "a ## b EN"


def test_stop_texts_are_looked_for_in_the_answer_and_not_in_the_reasoning():
    reader = reader_of(["<think>", "END", "</think>", "ok", "END"], THINK, stops=("END",))
    assert [reader.take(token) for token in range(5)] == [False] * 4 + [True]
    assert (reader.reasoning, reader.text) == ("END", "ok")


def test_an_end_token_ends_wherever_it_comes():
    reader = reader_of(["<think>", "hm", ""], THINK, ends={2})
    assert [reader.take(token) for token in (0, 1, 2)] == [False, False, True]
    assert (reader.reasoning, reader.text, reader.place) == ("hm", "", Place.REASONING)


def grammar_sees(reader, tokens):
    """What is emitted when a model chooses these tokens, and which of them a grammar is asked about."""
    emitted, asked = [], []
    for token in tokens:
        outside = reader.outside(token)
        if outside is None:
            asked.append(token)
        emitted.append(token if outside is None else outside)
        if reader.take(emitted[-1]):
            break
    return emitted, asked


def test_a_grammar_rules_from_the_first_token_of_the_answer():
    pieces = ["<think>", "why", "</think>", "\n\n", "{", "}", ""]
    for tail, tokens in (("", [0, 1, 2, 3, 4, 5]), ("<think>", [1, 2, 3, 4, 5]), ("", [4, 5])):
        reader = reader_of(pieces, THINK, tail)
        emitted, asked = grammar_sees(reader, tokens)
        assert (emitted, asked, reader.text) == (tokens, [4, 5], "{}")
        assert reader.answering


def test_without_reasoning_a_grammar_rules_everything():
    reader = reader_of(["\n", "{", ""], ends={2})
    assert grammar_sees(reader, [0, 1, 2]) == ([0, 1, 2], [0, 1, 2])


def test_reasoning_that_ends_the_generation_is_closed_where_an_answer_is_wanted():
    pieces = ["why", "</think>\n\n", "{", ""]
    reader = reader_of(pieces, THINK, "<think>", ends={3})
    emitted, asked = grammar_sees(reader, [0, 3, 2])
    assert (emitted, asked, reader.text) == ([0, 1, 2], [2], "{")


def test_a_mark_that_was_begun_in_letters_is_written_to_its_end():
    pieces = ["<", "think", ">", "why", "</", ">{", "{", "x"]
    reader = reader_of(pieces, THINK)
    emitted, asked = grammar_sees(reader, [0, 7, 7, 3])
    assert (emitted, asked) == ([0, 1, 2, 3], [])
    assert grammar_sees(reader, [4, 1, 5, 6]) == ([4, 1, 2, 6], [6])
    assert (reader.reasoning, reader.text) == ("why", "{")


@pytest.mark.parametrize("tail", ["", "<think>", "</think>"])
def test_what_a_grammar_lets_through_is_text_even_where_it_looks_like_a_mark(tail):
    """A string in JSON may hold any tag."""
    pieces = ["why", "</think>", "{", '"<think> x', "</think>", " y", "<|end|>", '"}', ""]
    tags = Tags("<think>", "<think>", "</think>", "</think>", ends=("<|end|>",))
    vocabulary = Vocabulary(pieces, end_tokens={8})
    format = TagFormat(tags, Marks((), {}, ()))
    reader = AnswerReader(vocabulary, format, format.parser(tail), ruled=True)
    tokens = [*([0, 1] if tail == "<think>" else []), *range(2, 9)]
    emitted, _asked = grammar_sees(reader, tokens)
    assert emitted == tokens
    assert (reader.reasoning, reader.text) == ("why" * (tail == "<think>"), "".join(pieces[2:]))


def test_words_that_begin_reasoning_are_written_to_their_end():
    pieces = [*"<Why it.\n{}", "[END]"]
    format = TagFormat(Tags(closing="[END]\n", closer="[END]", lead="Why it.\n"), Marks((), {}, ()))
    for chosen in ("Why it.\ny[END]{}", "W{{{{{{y[END]{}", "Why {{{y[END]{}"):
        vocabulary = Vocabulary(pieces)
        reader = AnswerReader(vocabulary, format, format.parser(""), ruled=True)
        _emitted, asked = grammar_sees(reader, vocabulary.tokenize(chosen))
        assert "".join(pieces[token] for token in asked) == "{}"
        assert reader.reasoning.startswith("Why it.") and reader.text == "{}"


def test_a_grammar_waits_for_the_header_of_a_message_that_begins_with_a_blank():
    """Tokens of single letters, as Muse Glimmer's " to=self" may come."""
    marks = ["<|start|>", "<|message|>", "<|eom|>", "<|eot|>"]
    pieces = [*" to=selfurahmian{}", *marks]
    format = MuseGlimmer(Marks(marks, {mark: pieces.index(mark) for mark in marks}, marks))
    text = " to=self<|message|>hm<|eom|><|start|>assistant to=user<|message|>{}"
    vocabulary = Vocabulary(pieces)
    tokens = vocabulary.tokenize(text)
    reader = AnswerReader(vocabulary, format, format.parser(""), ruled=True)
    emitted, asked = grammar_sees(reader, tokens)
    assert (emitted, [pieces[token] for token in asked]) == (tokens, ["{", "}"])
    assert (reader.reasoning, reader.text) == ("hm", "{}")


def test_reasoning_is_closed_on_request():
    reader = reader_of(["why", "</think>\n\n", "x"], THINK, "<think>")
    reader.take(0)
    reader.close_reasoning()
    assert grammar_sees(reader, [2, 2]) == ([1, 2], [2])
    assert (reader.reasoning, reader.text) == ("why", "x")
