"""Earlier places in the text that its end matches."""

import random

from trchat.recycling.suffix import SuffixIndex


def index(tokens):
    text = SuffixIndex()
    text.extend(tokens)
    return text


def test_the_longest_match_comes_first_then_the_latest():
    #             0  1  2  3  4  5  6  7  8  9
    text = index([1, 2, 3, 4, 9, 2, 3, 5, 2, 3])
    # "2 3" stood before position 3 and before 7; neither goes on further back with what stands here (5).
    assert text.matches() == [(7, 2), (3, 2)]
    longer = index([5, 2, 3, 4, 9, 2, 3, 7, 5, 2, 3])
    assert longer.matches()[0] == (3, 3)


def test_nothing_repeated_nothing_found():
    assert index([1, 2, 3]).matches() == []
    assert SuffixIndex().matches() == []
    assert SuffixIndex().context() == (-1, -1, -1)


def test_the_length_of_a_match_is_counted_beyond_three_tokens():
    repeated = [10, 11, 12, 13, 14, 15]
    text = index([*repeated, 99, *repeated])
    assert text.matches()[0] == (6, 6)


def test_ends_that_are_not_in_the_text():
    text = index([1, 2, 3, 4, 5, 2, 9])
    assert text.after(3, 2, 1) == (3, 3)
    assert text.after(3, 2, 7) == (3, 2)
    assert text.after(3, 7, 7) == (3, 1)
    assert text.after(8, 2, 1) is None


def test_growing_bit_by_bit_is_the_same_as_at_once():
    tokens = [random.Random(3).randrange(6) for _ in range(60)]
    bit_by_bit = SuffixIndex()
    for token in tokens:
        bit_by_bit.extend([token])
    assert bit_by_bit.matches() == index(tokens).matches()


def test_matches_are_right_on_random_text():
    chance = random.Random(5)
    for _ in range(50):
        tokens = [chance.randrange(4) for _ in range(chance.randrange(2, 80))]
        for place, length in index(tokens).matches():
            assert tokens[place - length : place] == tokens[len(tokens) - length :]


def test_work_per_token_does_not_grow_with_the_text():
    text = index([1, 2, 3] * 5000)
    assert all(len(places) <= 8 for table in text._places for places in table.values())
    assert len(text.matches()) <= 24
