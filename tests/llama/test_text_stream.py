"""Tokens to text: characters that are split over tokens wait for their last byte."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.llama.text_stream import TextStream

TEXTS = [
    "plain",
    "naïve café",
    "日本語のテキスト",
    "🏳️‍🌈 family 👨‍👩‍👧‍👦 done",
    unicodedata.normalize("NFD", "Ångström é"),
    "a\u0301\u0323 combining",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_characters_split_over_tokens_wait_for_their_last_byte(text, size):
    raw = text.encode()
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    stream = TextStream(pieces.__getitem__)
    parts = [stream.push(token) for token in range(len(pieces))]
    assert not any("\ufffd" in part for part in parts)
    assert "".join(parts) + stream.finish() == text


def streamed(raw, cuts):
    """What comes of bytes that are cut into tokens at these places: the parts, and the end."""
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    pieces = [raw[a:b] for a, b in itertools.pairwise(places)]
    stream = TextStream(pieces.__getitem__)
    return [stream.push(token) for token in range(len(pieces))], stream.finish()


CUTS = st.lists(st.integers(0, 1000), max_size=12)


@given(st.text(st.characters(exclude_categories=["Cs"])), CUTS)
def test_any_text_cut_anywhere_arrives_whole(text, cuts):
    parts, rest = streamed(text.encode(), cuts)
    assert "".join(parts) == text and rest == ""


@given(st.binary(max_size=60), CUTS)
def test_where_bytes_are_cut_does_not_show_even_where_they_are_no_text(raw, cuts):
    parts, rest = streamed(raw, cuts)
    assert "".join(parts) + rest == raw.decode("utf-8", "replace")


def test_an_unfinished_character_shows_only_at_the_end():
    stream = TextStream([b"ok \xf0\x9f", b"\x98"].__getitem__)
    assert stream.push(0) == "ok "
    assert stream.push(1) == ""
    assert stream.finish() == "\ufffd"


def test_bytes_that_are_no_text_do_not_block_what_follows():
    stream = TextStream([b"a\xff", b"b"].__getitem__)
    assert stream.push(0) + stream.push(1) == "a\ufffdb"
