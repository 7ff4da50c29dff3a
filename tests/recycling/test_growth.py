"""Best-first growth on hand-made probabilities, and its properties on random ones."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.recycling.calibration import (
    ALONE,
    OPPOSED,
    RECENT,
    ROWS1,
    ROWS2,
    STRIDES,
    SUFFIX,
    UNITED,
    other_suffix_level,
    passed_over_level,
    suffix_level,
)
from trchat.recycling.candidates import pack
from trchat.recycling.growth import Growth, Guesser, RecentCandidates, all_sources
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.suffix import SuffixIndex
from trchat.recycling.tree import ROOT

ONE, TWO, PLACE, LATELY = (STRIDES[source] for source in (ROWS1, ROWS2, SUFFIX, RECENT))


def learn(knowledge, table, context, candidates):
    """Teach one of the tables only."""
    others = [each for number, each in enumerate(knowledge.tables) if number != table]
    before = [(each.tags.copy(), each.packed.copy()) for each in others]
    tokens = np.array([list(candidates)], np.int32)
    shares = np.log(np.array([list(candidates.values())], np.float32))
    packed = np.zeros((1, CANDIDATES), np.uint32)
    packed[0, : tokens.shape[1]] = pack(tokens, shares)
    knowledge.rows.learn(np.array([[*context, -1, -1][:3]], np.int32), packed, 1)
    for each, (tags, rows) in zip(others, before, strict=True):
        each.tags[:], each.packed[:] = tags, rows


def flat_rates(rates):
    """Rates by kind: all small, except the given ones."""
    return defaultdict(lambda: 0.001, rates)


@pytest.fixture
def knowledge():
    knowledge = Knowledge()
    # 1 -> 2 (likely), 3 (less)   2 -> 4   3 -> 5   4 -> 6
    learn(knowledge, 0, [1], {2: 0.6, 3: 0.3})
    learn(knowledge, 0, [2], {4: 0.9})
    learn(knowledge, 0, [3], {5: 0.9})
    learn(knowledge, 0, [4], {6: 0.9})
    return knowledge


# Levels of 1-token rows: 0.9 -> 6, 0.6 -> 5, 0.3 -> 4.
RATES = flat_rates({6 * ONE: 0.8, 5 * ONE: 0.5, 4 * ONE: 0.45})


def guesser(knowledge, text, recent=None, without=frozenset()):
    return Guesser(all_sources(knowledge, text, recent or RecentCandidates(), without), text)


def grown(knowledge, limit, text=(1,), rates=RATES, recent=None):
    index = SuffixIndex()
    index.extend(text)
    growth = Growth(guesser(knowledge, index, recent), rates, index.context(), index.matches())
    growth.to(limit)
    return growth


def test_nodes_are_taken_by_the_probability_of_their_whole_path(knowledge):
    growth = grown(knowledge, 5)
    # 2: .5, 3: .45, 2-4: .4, 3-5: .36, 2-4-6: .32
    assert growth.tokens == [2, 3, 4, 5, 6]
    assert growth.parents == [ROOT, ROOT, 0, 1, 2]
    assert growth.probabilities == pytest.approx([0.5, 0.45, 0.4, 0.36, 0.32])


def test_guesses_that_promise_more_than_all_share_what_there_is(knowledge):
    growth = grown(knowledge, 2, rates=flat_rates({5 * ONE: 0.9, 4 * ONE: 0.6}))
    assert growth.probabilities == pytest.approx([0.6, 0.4])


def test_a_smaller_tree_is_the_beginning_of_a_larger_one(knowledge):
    for limit in range(6):
        assert grown(knowledge, limit).tokens == grown(knowledge, 5).tokens[:limit]


def test_the_chain_of_likeliest_children_leads_the_tree(knowledge):
    growth = grown(knowledge, 5)
    assert growth.order(5) == [0, 2, 4, 1, 3]
    tree = growth.tree(growth.order(4))
    assert tree.tokens.tolist() == [2, 4, 3, 5]
    assert tree.parents.tolist() == [ROOT, 0, ROOT, 2]
    assert tree.probabilities == pytest.approx([0.5, 0.4, 0.45, 0.36])
    assert tree.sources == ["1-token rows"] * 4


def test_sources_that_agree_make_one_guess_of_a_kind_of_its_own(knowledge):
    learn(knowledge, 1, [1, 7], {3: 0.9})  # after "7 1"
    growth = grown(knowledge, 1, text=[7, 1])
    assert growth.guesses[ROOT] == {2: 5 * ONE, 3: 4 * ONE + 6 * TWO}


def test_gap_rows_look_past_the_last_token(knowledge):
    learn(knowledge, 3, [99, 8, 7], {5: 0.9})  # after "7 8 whatever"
    growth = grown(knowledge, 1, text=[7, 8, 42])
    assert set(growth.guesses[ROOT]) == {5}


def test_the_suffix_goes_on_where_it_matched(knowledge):
    text = [20, 21, 22, 23, 24, 20, 21]
    rates = flat_rates({suffix_level(length, ALONE) * PLACE: 0.9 for length in (2, 3, 4)})
    growth = grown(Knowledge(), 3, text=text, rates=rates)
    assert growth.tokens == [22, 23, 24]
    assert growth.parents == [ROOT, 0, 1]


def test_another_place_that_goes_on_differently_is_a_second_guess():
    growth = grown(Knowledge(), 1, text=[1, 2, 3, 1, 2, 4, 1, 2])
    assert growth.guesses[ROOT] == {
        4: suffix_level(2, OPPOSED) * PLACE,
        3: other_suffix_level(2) * PLACE,
    }


def test_places_that_go_on_alike_support_one_another():
    growth = grown(Knowledge(), 1, text=[1, 2, 3, 9, 1, 2, 3, 8, 1, 2])
    assert growth.guesses[ROOT] == {3: suffix_level(2, UNITED) * PLACE}


def test_a_match_speaks_against_what_others_guess(knowledge):
    growth = grown(knowledge, 1, text=[1, 9, 1])
    assert growth.guesses[ROOT] == {
        2: 5 * ONE + passed_over_level(1) * PLACE,
        3: 4 * ONE + passed_over_level(1) * PLACE,
        9: suffix_level(1, ALONE) * PLACE,
    }


def test_what_was_considered_lately_is_favoured_but_never_guessed_alone(knowledge):
    recent = RecentCandidates()
    recent.step([[2, 77, 8]], [[0.4, 0.5, 0.05]], (8,))
    growth = grown(knowledge, 1, recent=recent)
    assert growth.guesses[ROOT] == {2: 5 * ONE + 3 * LATELY, 3: 4 * ONE}
    assert 8 not in recent.tokens  # it was said
    for _ in range(60):
        recent.step([[]], [[]], (1,))
    assert all(recent.kind(token) == 0 for token in recent.tokens)


def test_sources_can_be_left_out_to_measure_them(knowledge):
    index = SuffixIndex()
    index.extend([1, 2, 1])
    without = guesser(knowledge, index, without=frozenset({"rows1", "suffix"}))
    assert without.guess(index.context(), index.matches()) == {}


def test_nothing_known_nothing_grown():
    growth = grown(Knowledge(), 10)
    assert growth.tokens == []
    assert growth.order(0) == []


TOKENS = st.integers(0, 12)
ROWS = st.dictionaries(
    TOKENS, st.dictionaries(TOKENS, st.sampled_from([0.6, 0.3, 0.1]), max_size=4), max_size=12
)


class RandomRates(dict):
    """Any rate for any kind, always the same."""

    def __missing__(self, kind):
        return 0.05 + 0.9 * np.random.default_rng([kind, self["seed"]]).random()


@st.composite
def whatever_was_learned(draw):
    """Rows for one token and for two, a text, and the hit rates of all kinds of guesses."""
    knowledge = Knowledge()
    for table, contexts in ((0, st.tuples(TOKENS)), (1, st.tuples(TOKENS, TOKENS))):
        for (token, row), context in zip(draw(ROWS).items(), draw(st.lists(contexts)), strict=False):
            if row:
                learn(knowledge, table, [token, *context][: table + 1], row)
    rates = RandomRates(seed=draw(st.integers(0, 9)))
    return knowledge, draw(st.lists(TOKENS, min_size=1, max_size=20)), rates


@given(whatever_was_learned(), st.integers(0, 30))
def test_whatever_was_learned_it_grows_a_tree_of_likeliest_paths(learned, limit):
    knowledge, text, rates = learned
    growth = grown(knowledge, limit, text, rates)
    assert len(growth.tokens) <= limit
    # Parents come first, no two children of a node are the same guess.
    assert all(parent < node for node, parent in enumerate(growth.parents))
    assert len(set(zip(growth.parents, growth.tokens, strict=True))) == len(growth.tokens)
    # A node is as likely as its parent and its own kind of guess together.
    for node, (parent, kind) in enumerate(zip(growth.parents, growth.kinds, strict=True)):
        above = 1.0 if parent == ROOT else growth.probabilities[parent]
        shared = max(1.0, sum(rates[other] for other in growth.guesses[parent].values()))
        assert growth.probabilities[node] == pytest.approx(above * rates[kind] / shared)
    # The likeliest were taken first, but for guesses so sure that nobody expected them below their parent.
    for node, probability in enumerate(growth.probabilities):
        assert probability >= 0.7 * max(growth.probabilities[node:])
    # The same again is the same, and a smaller tree is the beginning of a larger one.
    more = grown(knowledge, limit + 5, text, rates)
    assert more.tokens[:limit] == growth.tokens and more.parents[:limit] == growth.parents


@given(whatever_was_learned(), st.data())
def test_any_part_of_it_becomes_a_draft_tree_with_its_chain_in_front(learned, data):
    knowledge, text, rates = learned
    growth = grown(knowledge, 20, text, rates)
    n_nodes = data.draw(st.integers(0, len(growth.tokens)))
    order = growth.order(n_nodes)
    assert sorted(order) == list(range(n_nodes))
    tree = growth.tree(order)
    for place, node in enumerate(order):
        assert tree.tokens[place] == growth.tokens[node]
        parent = growth.parents[node]
        assert tree.parents[place] == (ROOT if parent == ROOT else order.index(parent)) < place
    assert tree.chain or not n_nodes


def test_a_tree_that_falls_short_is_filled_up_with_what_was_said_last(knowledge):
    index = SuffixIndex()
    index.extend([9, 7, 8, 7, 1])
    growth = Growth(guesser(knowledge, index), RATES, index.context(), index.matches())
    growth.to(64)
    n, first = (
        len(growth.tokens),
        {t for t, p in zip(growth.tokens, growth.parents, strict=True) if p == ROOT},
    )
    growth.fill(n + 3, index.tokens)
    fresh = [token for token in (1, 7, 8, 9) if token not in first][:3]
    assert growth.tokens[n:] == fresh and growth.parents[n:] == [ROOT] * len(fresh)
    assert growth.probabilities[n:] == [0.0] * len(fresh)
    sources = growth.tree(range(len(growth.tokens))).sources
    assert sources[n:] == ["filler"] * len(fresh)
    assert "filler" not in sources[:n]
    growth.fill(100, index.tokens)  # as far as that goes
    below_root = [t for t, p in zip(growth.tokens, growth.parents, strict=True) if p == ROOT]
    assert len(below_root) == len(set(below_root))
    assert len(growth.tree(growth.order(len(growth.tokens)))) == len(growth.tokens)
