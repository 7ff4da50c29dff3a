"""Earlier places in the text that its end matches."""

import random

from trchat.recycling import suffix
from trchat.recycling.suffix import EarlierTexts, NgramIndex, SuffixIndex


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
    assert text.after((3, 2, 1)) == [(3, 3)]
    assert text.after((3, 2, 7)) == [(3, 2)]
    assert text.after((3, 7, 7)) == [(3, 1)]
    assert text.after((8, 2, 1)) == []


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


def after(earlier, text):
    """Where ``text`` goes on by what an earlier text said: (token, length of the match), step by step."""
    known = EarlierTexts()
    for each in earlier:
        known.add(each)
    index = SuffixIndex(known)
    index.extend(text)
    matches, context, found = index.matches(), index.context(), []
    while matches and matches[-1][0] < 0:
        token = index.follows(matches[-1])
        found.append((token, matches[-1][1]))
        context = (token, *context[:2])
        matches = index.below(matches, context)
    return found


def test_an_earlier_text_goes_on_where_it_matches_three_tokens_or_more():
    assert after([[1, 2, 3, 4, 5]], [7, 1, 2, 3]) == [(4, 3), (5, 4)]
    assert after([[0, 1, 2, 3, 4]], [0, 1, 2, 3]) == [(4, 4)]
    assert after([[1, 2, 3, 4]], [2, 3]) == []


def test_of_earlier_texts_the_longest_match_counts_then_the_latest():
    assert after([[9, 1, 2, 3, 4], [8, 1, 2, 3, 5], [7, 1, 2, 3, 6]], [8, 1, 2, 3]) == [(5, 4)]
    assert after([[9, 1, 2, 3, 4], [8, 1, 2, 3, 5]], [0, 1, 2, 3]) == [(5, 3)]


def test_an_earlier_text_is_silent_where_this_one_matches_as_long():
    assert after([[1, 2, 3, 4]], [1, 2, 3, 5, 1, 2, 3]) == []
    assert after([[0, 1, 2, 3, 4]], [1, 2, 3, 5, 0, 1, 2, 3]) == [(4, 4)]


def test_no_match_goes_from_one_text_into_the_next():
    assert after([[1, 2], [3, 4]], [1, 2, 3]) == []
    assert after([[1, 2, 3], [4, 5]], [1, 2, 3]) == []


def test_the_oldest_of_earlier_texts_go(monkeypatch):
    monkeypatch.setattr(suffix, "MOST_EARLIER", 20)
    texts = [[10 * each + 100 + token for token in range(6)] for each in range(9)]
    kept = [bool(after(texts, text[:3])) for text in texts]
    assert kept[-1] and not kept[0]
    assert kept == sorted(kept), "none that is younger went before"
    assert after([list(range(50))], [30, 31, 32]) == []
    assert after([list(range(50))], [45, 46, 47]) == [(48, 3), (49, 4)]


def ngrams(tokens):
    text = NgramIndex()
    text.extend(tokens)
    return text


def test_the_longest_match_wins():
    #              1 2 3 -> 4 ...     and 3 alone was first followed by 9
    text = ngrams([3, 9, 1, 2, 3, 4, 5, 1, 2, 3])
    assert text.continuation(10).tolist() == [4, 5, 1, 2, 3]


def test_shorter_matches_down_to_one_token():
    assert ngrams([7, 8, 5, 8]).continuation(2).tolist() == [5, 8]


def test_of_equal_matches_the_first_counts():
    assert ngrams([1, 2, 9, 1, 3, 8, 1]).continuation(1).tolist() == [2]


def test_no_match_no_draft():
    assert ngrams([1, 2, 3]).continuation(10).tolist() == []
    assert NgramIndex().continuation(10).tolist() == []


def test_at_most_what_was_asked_for():
    assert ngrams([1, 2, 3, 4, 5, 1]).continuation(3).tolist() == [2, 3, 4]


def test_an_ngram_index_that_grows_bit_by_bit_is_the_same():
    tokens = [1, 2, 1, 2, 3, 1, 2, 3, 1, 2]
    for cut in range(len(tokens)):
        parts = ngrams(tokens[:cut])
        parts.extend(tokens[cut:])
        assert parts.continuation(4).tolist() == ngrams(tokens).continuation(4).tolist()
