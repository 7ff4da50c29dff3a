"""Prompt lookup: the continuation of the longest n-gram that was seen before."""

from trchat.recycling.lookup import NgramIndex


def index(tokens):
    text = NgramIndex()
    text.extend(tokens)
    return text


def test_the_longest_match_wins():
    #              1 2 3 -> 4 ...     and 3 alone was first followed by 9
    text = index([3, 9, 1, 2, 3, 4, 5, 1, 2, 3])
    assert text.continuation(10).tolist() == [4, 5, 1, 2, 3]


def test_shorter_matches_down_to_one_token():
    assert index([7, 8, 5, 8]).continuation(2).tolist() == [5, 8]


def test_of_equal_matches_the_first_counts():
    assert index([1, 2, 9, 1, 3, 8, 1]).continuation(1).tolist() == [2]


def test_no_match_no_draft():
    assert index([1, 2, 3]).continuation(10).tolist() == []
    assert NgramIndex().continuation(10).tolist() == []


def test_at_most_what_was_asked_for():
    assert index([1, 2, 3, 4, 5, 1]).continuation(3).tolist() == [2, 3, 4]


def test_growing_bit_by_bit_is_the_same_as_at_once():
    tokens = [1, 2, 1, 2, 3, 1, 2, 3, 1, 2]
    for cut in range(len(tokens)):
        parts = index(tokens[:cut])
        parts.extend(tokens[cut:])
        assert parts.continuation(4).tolist() == index(tokens).continuation(4).tolist()
