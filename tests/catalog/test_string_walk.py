"""The fast way over a vocabulary ends where the plain one does, whatever the bytes."""

import random
import struct

import pytest

from trchat.catalog import string_walk
from trchat.catalog.string_walk import walk_strings


def packed(texts):
    return b"".join(struct.pack("<Q", len(text)) + text for text in texts)


def ordinary(rng):
    return rng.randbytes(rng.randint(1, 12)).replace(b"\0", b"x")


KINDS = {
    "ordinary": ordinary,
    "empty": lambda rng: b"",
    "sometimes empty": lambda rng: b"" if rng.random() < 0.01 else ordinary(rng),
    "sometimes long": lambda rng: ordinary(rng) * (40 if rng.random() < 0.01 else 1),
    "looks like lengths": lambda rng: struct.pack("<Q", rng.randint(1, 20)) * rng.randint(1, 3),
    "zeros": lambda rng: bytes(rng.randint(0, 20)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_walk_passes_over_every_text_exactly(kind):
    rng = random.Random(kind)
    texts = [KINDS[kind](rng) for _ in range(9000)]
    window = b"before" + packed(texts)
    assert walk_strings(window + b"behind", 6, len(texts), 1 << 20) == (len(texts), len(window))


def test_walk_stops_where_the_window_ends():
    texts = [b"abc"] * 5000
    window = packed(texts)
    assert walk_strings(window[:-1], 0, 5000, 100) == (4999, len(window) - 11)
    assert walk_strings(window[:-4], 0, 5000, 100) == (4999, len(window) - 11)


def test_walk_stops_before_a_text_that_claims_too_much():
    window = packed([b"abc"] * 3000) + struct.pack("<Q", 2**63) + bytes(64)
    assert walk_strings(window, 0, 4000, 100) == (3000, 3000 * 11)


def test_most_of_a_vocabulary_is_walked_fast(monkeypatch):
    steps = []
    plain = string_walk._walk_plain

    def counted(window, start, count, longest):
        walked, end = plain(window, start, count, longest)
        steps.append(walked)
        return walked, end

    monkeypatch.setattr(string_walk, "_walk_plain", counted)
    rng = random.Random(1)
    texts = [ordinary(rng) for _ in range(50_000)]
    assert walk_strings(packed(texts), 0, 50_000, 100)[0] == 50_000
    assert sum(steps) < 1000
