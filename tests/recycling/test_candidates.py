"""Rows of candidates in bounded memory: packed, found, mixed with newer ones, and evicted."""

import numpy as np
import pytest

from trchat.recycling.candidates import (
    MOST_LESSONS,
    WAYS,
    CandidateTables,
    TableShape,
    mixed_row,
    pack,
    probability,
    quantise,
)
from trchat.recycling.knowledge import MAX_BYTES, Knowledge

pytestmark = pytest.mark.usefixtures("either_way")


def contexts(*rows):
    return np.array(rows, np.int32)


def packed(*rows):
    return np.array(rows, np.uint32)


def table(back=(1,), rows=64, k=2, fresh=1.0):
    return CandidateTables([TableShape("some", back, rows, k, fresh)])


def find(some, context, table=0):
    return list(some.find(context)[table])


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
    assert find(some, (7, 5, 3)) == []
    some.learn(contexts([7, 5, 3]), packed([258, 513]), clock=1)
    assert find(some, (7, 5, 3)) == [258, 513]
    assert find(some, other) == []
    assert some.rows_learned == 1


def test_a_table_looks_only_where_it_is_told_to():
    gap = table((2, 3))
    gap.learn(contexts([7, 5, 3]), packed([258, 513]), clock=1)
    assert find(gap, (99, 5, 3)) == [258, 513]  # whatever the last token is
    one = table((1,))
    one.learn(contexts([7, 5, 3]), packed([258, 513]), clock=1)
    assert find(one, (7, -1, -1)) == [258, 513]


def test_every_position_of_a_context_counts():
    three = table((1, 2, 3), rows=1024, k=1)
    orders = [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2), (-1, -1, 1), (1, -1, -1)]
    three.learn(contexts(*orders), packed(*([number] for number in range(1, 7))), clock=1)
    assert [find(three, order) for order in orders] == [[number] for number in range(1, 7)]


def test_rows_of_one_context_in_one_step_count_the_same():
    some = table(k=3)
    some.learn(
        contexts([5, 0, 0], [6, 0, 0], [5, 0, 0]),
        packed(row(3, t1=0.8), row(3, t9=1.0), row(3, t2=0.6, t1=0.2)),
        clock=1,
    )
    assert chances(find(some, (5, 0, 0))) == pytest.approx({1: 0.5, 2: 0.3}, rel=0.05)
    assert chances(find(some, (6, 0, 0))) == {9: 1.0}
    assert some.rows_learned == 2


def test_two_rows_in_one_step_weigh_as_much_as_one_after_the_other():
    together, apart = table(k=3, fresh=0.5), table(k=3, fresh=0.5)
    for some in (together, apart):
        some.learn(contexts([5, 0, 0]), packed(row(3, t1=0.8)), clock=1)
    new = row(3, t2=0.8)
    together.learn(contexts([5, 0, 0], [5, 0, 0]), packed(new, new), clock=2)
    for clock in (2, 3):
        apart.learn(contexts([5, 0, 0]), packed(new), clock)
    assert chances(find(together, (5, 0, 0))) == pytest.approx({2: 0.6, 1: 0.2}, rel=0.05)
    assert chances(find(apart, (5, 0, 0))) == pytest.approx({2: 0.6, 1: 0.2}, rel=0.05)


def test_tables_side_by_side_keep_to_themselves():
    some = CandidateTables([TableShape("one", (1,), 64, 2, 0.5), TableShape("gap", (2, 3), 128, 3)])
    some.learn(contexts([7, 5, 3]), packed(row(3, t1=0.5, t2=0.3, t3=0.1)), clock=1)
    assert list(chances(find(some, (7, 8, 9)))) == [1, 2]  # no room for a third
    assert list(chances(find(some, (8, 5, 3), table=1))) == [1, 2, 3]
    some.learn(contexts([9, 5, 3]), packed(row(3, t4=0.9)), clock=2)
    assert list(chances(find(some, (7, 5, 3)))) == [1, 2]
    assert list(chances(find(some, (7, 5, 3), table=1))) == [4]
    one, gap = some.tables
    assert (one.name, one.packed.shape, one.rows_learned) == ("one", (64, 2), 2)
    assert (gap.name, gap.packed.shape, gap.rows_learned) == ("gap", (128, 3), 1)
    assert sorted(one.stamps[one.tags > 0]) == [1, 2] and gap.stamps.max() == 2


def test_a_row_learned_again_is_mixed_with_what_it_held():
    some = table(k=3, fresh=0.25)
    some.learn(contexts([5, 0, 0]), packed(row(3, t1=0.8, t2=0.2)), clock=1)
    some.learn(contexts([5, 0, 0]), packed(row(3, t3=0.6, t1=0.4)), clock=2)
    assert chances(find(some, (5, 0, 0))) == pytest.approx({1: 0.7, 2: 0.15, 3: 0.15}, rel=0.05)
    assert find(some, (5, 0, 0))[0] >> 8 == 1  # best first


def test_candidates_that_are_never_seen_again_fade_away():
    some = table(k=2, fresh=0.5)
    some.learn(contexts([5, 0, 0]), packed(row(2, t1=0.9)), clock=1)
    for clock in range(2, 12):
        some.learn(contexts([5, 0, 0]), packed(row(2, t2=0.6, t3=0.4)), clock)
    assert set(chances(find(some, (5, 0, 0)))) == {2, 3}


def test_a_table_of_fresh_rows_only_forgets_at_once():
    some = table(k=2, fresh=1.0)
    some.learn(contexts([5, 0, 0]), packed(row(2, t1=0.9, t2=0.1)), clock=1)
    some.learn(contexts([5, 0, 0]), packed(row(2, t3=0.5)), clock=2)
    assert set(chances(find(some, (5, 0, 0)))) == {3}


def test_a_full_bucket_gives_up_the_row_learned_longest_ago():
    some = table(rows=2 * WAYS, k=1)
    for clock in range(1, 200):
        some.learn(contexts([clock, 0, 0]), packed([clock]), clock)
    assert some.rows_learned == 2 * WAYS
    kept = sorted(value for clock in range(1, 200) for value in find(some, (clock, 0, 0)))
    assert len(kept) == 2 * WAYS
    assert min(kept) > 199 - 12 * WAYS  # the recent ones, spread over two buckets by the hash


def test_a_table_holds_recent_rows_like_an_unbounded_one():
    random = np.random.default_rng(4)
    some, everything = table((1, 2), rows=1 << 14), {}
    for clock in range(1, 201):
        keys = random.integers(0, 200_000, (20, 3)).astype(np.int32)
        rows = random.integers(1, 2**32, (20, 2)).astype(np.uint32) | 1  # step 0 would mean "none"
        some.learn(keys, rows, clock)
        everything.update(zip(map(tuple, keys.tolist()), rows.tolist(), strict=True))
    found = sum(sorted(find(some, key)) == sorted(row) for key, row in everything.items())
    assert found >= 0.99 * len(everything)


def test_many_new_rows_of_one_bucket_all_find_a_place():
    some = table(rows=8 * WAYS, k=1)
    some.learn(contexts(*([number, 0, 0] for number in range(12))), packed(*([1 + n] for n in range(12))), 1)
    assert [find(some, (number, 0, 0)) for number in range(12)] == [[1 + number] for number in range(12)]


@pytest.mark.parametrize("rows", [0, 4, 12, 1000])
def test_sizes_that_cannot_be_are_refused(rows):
    with pytest.raises(ValueError, match="power of two"):
        table(rows=rows)


def test_a_key_cannot_look_further_back_than_contexts_reach():
    with pytest.raises(ValueError, match="1 to 3"):
        table(back=(1, 4))


def test_all_knowledge_stays_within_its_bound_for_the_largest_vocabulary():
    n_vocab = 262_144
    knowledge = Knowledge()
    random = np.random.default_rng(n_vocab)
    for _ in range(50):
        keys = random.integers(0, n_vocab, (80, 3)).astype(np.int32)
        rows = pack(random.integers(0, n_vocab, (80, 8)), -random.random((80, 8)).astype(np.float32))
        knowledge.learn(keys, rows)
    assert knowledge.rows_learned > 3500
    assert knowledge.nbytes <= MAX_BYTES


@pytest.mark.parametrize("back", [(1,), (1, 2), (1, 2, 3), (2, 3)])
@pytest.mark.parametrize("fresh", [1.0, 0.4])
@pytest.mark.parametrize("n", [5, 40])
def test_rows_are_those_of_a_plain_dictionary(back, fresh, n):
    random = np.random.default_rng(len(back))
    some, plain = table(back, rows=1 << 14, k=8, fresh=fresh), {}
    for clock in range(1, 40):
        keys = random.integers(-1, 6, (n, 3)).astype(np.int32)
        tokens = np.array([random.permutation(8) for _ in range(n)], np.int32)
        rows = pack(tokens, np.sort(-3 * random.random((n, 8)).astype(np.float32))[:, ::-1])
        some.learn(keys, rows, clock)
        step = {}
        for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
            step.setdefault(tuple(key[number - 1] for number in back), []).append(chances(row))
        for key, new in step.items():
            old = plain.get(key)
            kept = (1 - fresh) ** len(new) if old else 0.0
            mean = {token: sum(row[token] for row in new) / len(new) for token in range(8)}
            plain[key] = {token: kept * (old or mean)[token] + (1 - kept) * mean[token] for token in range(8)}
        asked = {tuple(key[number - 1] for number in back): key for key in keys.tolist()}
        found = [chances(find(some, key)) for key in asked.values()]
        # Rounded to eight bits at every step, on the way too.
        np.testing.assert_allclose(
            [[row[token] for token in range(8)] for row in found],
            [[plain[key][token] for token in range(8)] for key in asked],
            rtol=0.25,
        )


def test_a_row_learned_often_stays_and_counts_end_somewhere():
    some = table(rows=2 * WAYS, k=1)
    for clock in range(1, 2 * MOST_LESSONS):
        some.learn(contexts([5, 0, 0]), packed([77]), clock)
    assert some.tables[0].counts.max() == MOST_LESSONS
    for clock in range(2 * MOST_LESSONS, 2 * MOST_LESSONS + 200):
        some.learn(contexts([clock, 0, 0]), packed([clock]), clock)
    assert find(some, (5, 0, 0)) == [77]
    assert find(some, (clock, 0, 0)) == [clock], "a new row finds a place"
    assert some.tables[0].counts.tolist().count(1) == 2 * WAYS - 1


def test_a_row_of_the_same_step_never_makes_room():

    def bucket_of(number):
        alone = table(rows=2 * WAYS, k=1)
        alone.learn(contexts([number, 0, 0]), packed([1]), 1)
        return int(alone.tables[0].tags.argmax()) // WAYS

    def learn(*numbers):
        nonlocal clock
        clock += 1
        some.learn(contexts(*([n, 0, 0] for n in numbers)), packed(*([n + 1] for n in numbers)), clock)

    some, clock = table(rows=2 * WAYS, k=1), 0
    rare, *often, new, newer, newest = [number for number in range(40) if bucket_of(number) == 0][: WAYS + 3]
    learn(rare)
    for _ in range(5):
        learn(*often)
    learn(new, rare)
    assert [find(some, (number, 0, 0)) for number in (new, rare)] == [[new + 1], [rare + 1]]
    learn(newer, newest)
    assert [find(some, (number, 0, 0)) for number in (newer, newest)] == [[newer + 1], [newest + 1]]


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


def test_chances_of_a_token_add_up_by_weight():
    old = pack(np.array([1, 2]), np.log(np.array([0.8, 0.2], np.float32))).tolist()
    new = pack(np.array([2, 3]), np.log(np.array([0.6, 0.4], np.float32))).tolist()
    row = mixed_row(old, [new], 0.5, 3)
    assert [value >> 8 for value in row][:2] == [1, 2] or chances(row)[1] == chances(row)[2]
    assert chances(row) == pytest.approx({1: 0.4, 2: 0.4, 3: 0.2}, rel=0.05)
    assert mixed_row(old, [new, new], 0.0, 3) == [*new, 0]
