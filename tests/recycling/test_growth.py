import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.recycling.candidates import pack
from trchat.recycling.growth import Sources, grow, tree_of
from trchat.recycling.kinds import N_KINDS, ONE, SUFFIX, TWO
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.suffix import SuffixIndex
from trchat.recycling.tree import ROOT


def learn(table, context, candidates):
    tokens = np.array([list(candidates)], np.int32)
    shares = np.log(np.array([list(candidates.values())], np.float32))
    packed = np.zeros((1, table.k), np.uint32)
    packed[0, : tokens.shape[1]] = pack(tokens, shares)
    table.learn(np.array([context], np.int32), packed, 1)


def flat_rates(**by_kind):
    """Rates by kind: all small, except the given ones."""
    rates = np.full(N_KINDS, 0.001, np.float32)
    for kind, rate in by_kind.items():
        rates[int(kind[1:])] = rate
    return rates.data


@pytest.fixture
def knowledge():
    knowledge = Knowledge()
    # 1 -> 2 (likely), 3 (less)   2 -> 4   3 -> 5   4 -> 6
    learn(knowledge.tables[0], [1], {2: 0.6, 3: 0.3})
    learn(knowledge.tables[0], [2], {4: 0.9})
    learn(knowledge.tables[0], [3], {5: 0.9})
    learn(knowledge.tables[0], [4], {6: 0.9})
    return knowledge


# Levels of 1-token rows: 0.9 -> 6, 0.6 -> 5, 0.3 -> 4.
RATES = flat_rates(k6=0.8, k5=0.5, k4=0.45)


def grown(knowledge, limit, text=(1,), rates=RATES, siblings=None):
    index = SuffixIndex()
    index.extend(text)
    sources = Sources(knowledge, index)
    return grow(sources, rates, index.context(), index.matches(), siblings or {}, limit)


def test_nodes_are_taken_by_the_probability_of_their_whole_path(knowledge):
    growth = grown(knowledge, 5)
    # 2: .5, 3: .45, 2-4: .4, 3-5: .36, 2-4-6: .32
    assert growth.tokens == [2, 3, 4, 5, 6]
    assert growth.parents == [ROOT, ROOT, 0, 1, 2]
    assert growth.probabilities == pytest.approx([0.5, 0.45, 0.4, 0.36, 0.32])


def test_a_smaller_tree_is_the_beginning_of_a_larger_one(knowledge):
    for limit in range(6):
        assert grown(knowledge, limit).tokens == grown(knowledge, 5).tokens[:limit]


def test_the_chain_follows_the_likeliest_children_and_leads_the_tree(knowledge):
    growth = grown(knowledge, 5)
    assert growth.chain() == [0, 2, 4]
    tree, place = tree_of(growth, [0, 1, 2, 3], growth.chain())
    assert tree.tokens.tolist() == [2, 4, 3, 5]
    assert tree.parents.tolist() == [ROOT, 0, ROOT, 2]
    assert place == {ROOT: ROOT, 0: 0, 2: 1, 1: 2, 3: 3}
    assert tree.probabilities == pytest.approx([0.5, 0.4, 0.45, 0.36])
    assert tree.sources == ["1-token rows"] * 4


def test_sources_that_agree_make_one_guess_of_a_kind_of_its_own(knowledge):
    learn(knowledge.tables[1], [1, 7], {3: 0.9})  # after "7 1"
    growth = grown(knowledge, 1, text=[7, 1])
    assert growth.guesses[ROOT] == {2: 5 * ONE, 3: 4 * ONE + 6 * TWO}


def test_the_suffix_goes_on_where_it_matched(knowledge):
    text = [20, 21, 22, 23, 24, 20, 21]
    rates = flat_rates(**{f"k{2 * SUFFIX}": 0.9, f"k{3 * SUFFIX}": 0.9, f"k{4 * SUFFIX}": 0.9})
    growth = grown(Knowledge(), 3, text=text, rates=rates)
    assert growth.tokens == [22, 23, 24]
    assert growth.parents == [ROOT, 0, 1]


def test_another_place_that_goes_on_differently_is_a_second_guess():
    text = [1, 2, 3, 1, 2, 4, 1, 2]
    growth = grown(Knowledge(), 1, text=text)
    assert growth.guesses[ROOT] == {4: 2 * SUFFIX, 3: 8 * SUFFIX}


def test_siblings_hint_only_at_the_root(knowledge):
    growth = grown(knowledge, 5, siblings={9: 3, 2: 1})
    assert set(growth.guesses[ROOT]) == {2, 3, 9}
    assert all(9 not in guesses for node, guesses in growth.guesses.items() if node != ROOT)


def test_sources_can_be_left_out_to_measure_them(knowledge):
    index = SuffixIndex()
    index.extend([1, 2, 1])
    without = Sources(knowledge, index, frozenset({"rows1", "suffix", "siblings"}))
    assert without.guess(1, 2, 1, index.matches(), {5: 1}) == {}
    assert without.matches_below(index.matches(), 2, 1, 2) == []


def test_nothing_known_nothing_grown():
    growth = grown(Knowledge(), 10)
    assert growth.tokens == []
    assert growth.chain() == []


TOKENS = st.integers(0, 12)
ROWS = st.dictionaries(
    TOKENS, st.dictionaries(TOKENS, st.sampled_from([0.6, 0.3, 0.1]), max_size=4), max_size=12
)
SIBLINGS = st.dictionaries(TOKENS, st.integers(1, 3), max_size=3)


@st.composite
def whatever_was_learned(draw):
    """Rows for one token and for two, a text, and the hit rates of all kinds of guesses."""
    knowledge = Knowledge()
    for table, contexts in ((0, st.tuples(TOKENS)), (1, st.tuples(TOKENS, TOKENS))):
        for (token, row), context in zip(draw(ROWS).items(), draw(st.lists(contexts)), strict=False):
            if row:
                learn(knowledge.tables[table], [token, *context][: table + 1], row)
    rates = np.random.default_rng(draw(st.integers(0, 9))).random(N_KINDS, np.float32) * 0.9
    return knowledge, draw(st.lists(TOKENS, min_size=1, max_size=20)), rates.data


@given(whatever_was_learned(), SIBLINGS, st.integers(0, 30))
def test_whatever_was_learned_it_grows_a_tree_of_likeliest_paths(learned, siblings, limit):
    knowledge, text, rates = learned
    growth = grown(knowledge, limit, text, rates, siblings)
    assert len(growth.tokens) <= limit
    # Parents come first, no two children of a node are the same guess.
    assert all(parent < node for node, parent in enumerate(growth.parents))
    assert len(set(zip(growth.parents, growth.tokens, strict=True))) == len(growth.tokens)
    # A node is as likely as its parent and its own kind of guess together; the likeliest were taken first.
    for node, (parent, kind) in enumerate(zip(growth.parents, growth.kinds, strict=True)):
        above = 1.0 if parent == ROOT else growth.probabilities[parent]
        assert growth.probabilities[node] == pytest.approx(above * rates[kind])
    assert growth.probabilities == sorted(growth.probabilities, reverse=True)
    # The same again is the same, and a smaller tree is the beginning of a larger one.
    more = grown(knowledge, limit + 5, text, rates, siblings)
    assert more.tokens[:limit] == growth.tokens and more.parents[:limit] == growth.parents


@given(whatever_was_learned(), st.data())
def test_any_part_of_it_becomes_a_draft_tree_with_its_chain_in_front(learned, data):
    growth = grown(*learned[:1], 20, *learned[1:])
    chosen = list(range(data.draw(st.integers(0, len(growth.tokens)))))
    tree, place = tree_of(growth, chosen, growth.chain())
    assert len(tree) == len(chosen)
    for node in chosen:
        assert tree.tokens[place[node]] == growth.tokens[node]
        assert tree.parents[place[node]] == place[growth.parents[node]] < place[node]
    assert tree.chain >= sum(node in chosen for node in growth.chain())
