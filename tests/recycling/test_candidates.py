"""Rows of candidates in bounded memory: packed, found, mixed with newer ones, and evicted."""

import numpy as np
import pytest

from trchat.recycling.candidates import WAYS, CandidateTable, pack, probability, quantise
from trchat.recycling.knowledge import MAX_BYTES, Knowledge


def contexts(*rows):
    return np.array(rows, np.int32)


def packed(*rows):
    return np.array(rows, np.uint32)


def table(back=(1,), rows=64, k=2, fresh=1.0):
    return CandidateTable("some", back, rows, k, fresh)


def chances(row):
    return {value >> 8: probability(value & 255) for value in row if value}


def row(k, **by_token):
    """One packed row: ``t5=0.3`` is token 5 with probability 0.3."""
    tokens = [int(name[1:]) for name in by_token]
    known = pack(np.array(tokens, np.int32), np.log(np.array(list(by_token.values()), np.float32)))
    return [*known.tolist(), *[0] * (k - len(known))]


@pytest.mark.parametrize(("back", "other"), [((1,), (8, 5, 3)), ((1, 2), (7, 6, 3)), ((2, 3), (7, 5, 4))])
def test_what_is_learned_is_found_by_the_same_context_only(back, other):
    some = table(back)
    assert some.find((7, 5, 3)) == []
    some.learn(contexts([7, 5, 3]), packed([258, 513]), clock=1)
    assert some.find((7, 5, 3)) == [258, 513]
    assert some.find(other) == []
    assert some.rows_learned == 1


def test_a_table_looks_only_where_it_is_told_to():
    gap = table((2, 3))
    gap.learn(contexts([7, 5, 3]), packed([258, 513]), clock=1)
    assert gap.find((99, 5, 3)) == [258, 513]  # whatever the last token is
    one = table((1,))
    one.learn(contexts([7, 5, 3]), packed([258, 513]), clock=1)
    assert one.find((7, -1, -1)) == [258, 513]


def test_every_position_of_a_context_counts():
    three = table((1, 2, 3), rows=1024, k=1)
    orders = [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2), (-1, -1, 1), (1, -1, -1)]
    three.learn(contexts(*orders), packed(*([number] for number in range(1, 7))), clock=1)
    assert [three.find(order) for order in orders] == [[number] for number in range(1, 7)]


def test_of_a_repeated_context_the_later_row_counts():
    some = table(k=1)
    some.learn(contexts([5, 0, 0], [6, 0, 0], [5, 0, 0]), packed([1], [2], [3]), clock=1)
    assert some.find((5, 0, 0)) == [3] or some.find((5, 0, 0)) == [1 << 8 | 3]
    assert some.rows_learned == 2


def test_a_row_learned_again_is_mixed_with_what_it_held():
    some = table(k=3, fresh=0.25)
    some.learn(contexts([5, 0, 0]), packed(row(3, t1=0.8, t2=0.2)), clock=1)
    some.learn(contexts([5, 0, 0]), packed(row(3, t3=0.6, t1=0.4)), clock=2)
    found = some.find((5, 0, 0))
    assert [value >> 8 for value in found] == [
        1,
        2,
        3,
    ]  # best first; 2 is as likely as 3 but was there before
    assert chances(found) == pytest.approx({1: 0.7, 2: 0.15, 3: 0.15}, rel=0.05)


def test_candidates_that_are_never_seen_again_fade_away():
    some = table(k=2, fresh=0.5)
    some.learn(contexts([5, 0, 0]), packed(row(2, t1=0.9)), clock=1)
    for clock in range(2, 12):
        some.learn(contexts([5, 0, 0]), packed(row(2, t2=0.6, t3=0.4)), clock)
    assert set(chances(some.find((5, 0, 0)))) == {2, 3}


def test_a_table_of_fresh_rows_only_forgets_at_once():
    some = table(k=2, fresh=1.0)
    some.learn(contexts([5, 0, 0]), packed(row(2, t1=0.9, t2=0.1)), clock=1)
    some.learn(contexts([5, 0, 0]), packed(row(2, t3=0.5)), clock=2)
    assert set(chances(some.find((5, 0, 0)))) == {3}


def test_a_full_bucket_gives_up_the_row_learned_longest_ago():
    some = table(rows=2 * WAYS, k=1)
    for clock in range(1, 200):
        some.learn(contexts([clock, 0, 0]), packed([clock]), clock)
    assert some.rows_learned == 2 * WAYS
    kept = sorted(value for clock in range(1, 200) for value in some.find((clock, 0, 0)))
    assert len(kept) == 2 * WAYS
    assert min(kept) > 199 - 12 * WAYS  # the recent ones, spread over two buckets by the hash


def test_a_table_holds_recent_rows_like_an_unbounded_one():
    random = np.random.default_rng(4)
    some, everything = table((1, 2), rows=1 << 14), {}
    for clock in range(200):
        keys = random.integers(0, 200_000, (20, 3)).astype(np.int32)
        rows = random.integers(1, 2**32, (20, 2)).astype(np.uint32)
        some.learn(keys, rows, clock)
        everything.update(zip(map(tuple, keys.tolist()), rows.tolist(), strict=True))
    found = sum(some.find(key) == row for key, row in everything.items())
    assert found >= 0.99 * len(everything)


def test_many_new_rows_of_one_bucket_all_find_a_place():
    some = table(rows=8 * WAYS, k=1)
    some.learn(contexts(*([number, 0, 0] for number in range(12))), packed(*([1 + n] for n in range(12))), 1)
    assert [some.find((number, 0, 0)) for number in range(12)] == [[1 + number] for number in range(12)]


def test_probabilities_survive_eight_bits():
    for p in (1.0, 0.9, 0.5, 0.1, 0.01, 0.0001):
        step = int(quantise(np.array([np.log(p)], np.float32))[0])
        assert 1 <= step <= 255
        assert probability(step) == pytest.approx(p, rel=0.03)
    assert quantise(np.array([-200.0], np.float32))[0] == 1  # never 0, which would mean "no candidate"


def test_token_zero_and_the_largest_ids_can_be_packed():
    tokens, shares = np.array([0, 262_143], np.int32), np.array([-0.1, -3.0], np.float32)
    assert [value >> 8 for value in pack(tokens, shares).tolist()] == [0, 262_143]
    assert all(pack(tokens, shares))


@pytest.mark.parametrize("rows", [0, 4, 12, 1000])
def test_sizes_that_cannot_be_are_refused(rows):
    with pytest.raises(ValueError, match="power of two"):
        table(rows=rows)


def test_a_key_cannot_look_further_back_than_contexts_reach():
    with pytest.raises(ValueError, match="1 to 3"):
        table(back=(1, 4))


@pytest.mark.parametrize("n_vocab", [32_000, 152_064, 262_144])
def test_all_knowledge_stays_within_its_bound_for_any_vocabulary(n_vocab):
    knowledge = Knowledge()
    random = np.random.default_rng(n_vocab)
    for _ in range(300):
        keys = random.integers(0, n_vocab, (80, 3)).astype(np.int32)
        rows = pack(random.integers(0, n_vocab, (80, 8)), -random.random((80, 8)).astype(np.float32))
        knowledge.learn(keys, rows)
    assert knowledge.rows_learned > 20_000
    assert knowledge.nbytes <= MAX_BYTES


@pytest.mark.parametrize("back", [(1,), (1, 2), (1, 2, 3), (2, 3)])
@pytest.mark.parametrize("fresh", [1.0, 0.4])
def test_few_rows_and_many_are_learned_alike(back, fresh):
    random = np.random.default_rng(len(back))
    few, many = (table(back, k=3, fresh=fresh) for _ in range(2))
    for clock in range(1, 300):
        keys = random.integers(-1, 12, (1, 3)).astype(np.int32)
        tokens = random.permutation(8)[:5].astype(np.int32)[None]
        rows = pack(tokens, np.sort(-5 * random.random((1, 5)).astype(np.float32))[:, ::-1])
        few._learn_few(keys.tolist(), rows.tolist(), clock)
        many._learn_many(keys, rows, clock)
    assert (few.tags == many.tags).all()
    assert (few.stamps == many.stamps).all()
    # Single and double precision may round one step apart, and so change the order of equals.
    for one, other in zip(few.packed[few.tags > 0], many.packed[many.tags > 0], strict=True):
        assert chances(one.tolist()) == pytest.approx(chances(other.tolist()), rel=0.1)
