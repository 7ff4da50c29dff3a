import random
import unicodedata

import pytest

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


def test_random_cuts_of_random_text():
    chance = random.Random(1)
    for _ in range(200):
        text = "".join(chr(chance.choice([65, 233, 0x4E2D, 0x1F600, 0x301])) for _ in range(20))
        raw = text.encode()
        cuts = sorted({0, len(raw), *(chance.randrange(len(raw)) for _ in range(9))})
        pieces = [raw[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
        stream = TextStream(pieces.__getitem__)
        assert "".join(stream.push(token) for token in range(len(pieces))) + stream.finish() == text


def test_an_unfinished_character_shows_only_at_the_end():
    stream = TextStream([b"ok \xf0\x9f", b"\x98"].__getitem__)
    assert stream.push(0) == "ok "
    assert stream.push(1) == ""
    assert stream.finish() == "\ufffd"


def test_bytes_that_are_no_text_do_not_block_what_follows():
    stream = TextStream([b"a\xff", b"b"].__getitem__)
    assert stream.push(0) + stream.push(1) == "a\ufffdb"
