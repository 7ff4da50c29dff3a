import numpy as np
import pytest

from trchat.recycling.candidates import WAYS, CandidateTable, mix1, mix2, mix3, pack, probability, quantise
from trchat.recycling.knowledge import MAX_BYTES, Knowledge


def contexts(*rows):
    return np.array(rows, np.int32)


def packed(*rows):
    return np.array(rows, np.uint32)


@pytest.mark.parametrize(("order", "mix"), [(1, mix1), (2, mix2), (3, mix3)])
def test_what_is_learned_is_found_by_the_same_context_only(order, mix):
    table = CandidateTable(order, rows=64, k=2)
    context = [7, 5, 3][:order]
    assert table.find(mix(*context)) == []
    table.learn(contexts(context), packed([258, 513]), clock=1)
    assert table.find(mix(*context)) == [258, 513]
    assert table.find(mix(*([8, 5, 3][:order]))) == []
    assert table.rows_learned == 1


def test_every_order_and_position_of_a_context_counts():
    table = CandidateTable(3, rows=1024, k=1)
    orders = [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2), (-1, -1, 1), (1, -1, -1)]
    table.learn(contexts(*orders), packed(*([number] for number in range(1, 7))), clock=1)
    assert [table.find(mix3(*order)) for order in orders] == [[number] for number in range(1, 7)]


def test_of_a_repeated_context_the_later_row_counts_and_old_rows_are_overwritten():
    table = CandidateTable(1, rows=64, k=1)
    table.learn(contexts([5], [6], [5]), packed([1], [2], [3]), clock=1)
    assert table.find(mix1(5)) == [3]
    table.learn(contexts([5]), packed([4]), clock=2)
    assert table.find(mix1(5)) == [4]
    assert table.rows_learned == 2


def test_a_full_bucket_gives_up_the_row_learned_longest_ago():
    table = CandidateTable(1, rows=2 * WAYS, k=1)
    for clock in range(1, 200):
        table.learn(contexts([clock]), packed([clock]), clock)
    assert table.rows_learned == 2 * WAYS
    kept = sorted(value for clock in range(1, 200) for value in table.find(mix1(clock)))
    assert len(kept) == 2 * WAYS
    assert min(kept) > 199 - 12 * WAYS  # the recent ones, spread over two buckets by the hash


def test_a_table_holds_recent_rows_like_an_unbounded_one():
    random = np.random.default_rng(4)
    table, everything = CandidateTable(2, rows=1 << 14, k=2), {}
    for clock in range(200):
        keys = random.integers(0, 200_000, (20, 2)).astype(np.int32)
        rows = random.integers(1, 2**32, (20, 2)).astype(np.uint32)
        table.learn(keys, rows, clock)
        everything.update(zip(map(tuple, keys.tolist()), rows.tolist(), strict=True))
    found = sum(table.find(mix2(*key)) == row for key, row in everything.items())
    assert found >= 0.99 * len(everything)


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
        CandidateTable(1, rows, 2)


@pytest.mark.parametrize("n_vocab", [32_000, 152_064, 262_144])
def test_all_knowledge_stays_within_its_bound_for_any_vocabulary(n_vocab):
    knowledge = Knowledge()
    random = np.random.default_rng(n_vocab)
    for clock in range(300):
        keys = random.integers(0, n_vocab, (80, 3)).astype(np.int32)
        rows = pack(random.integers(0, n_vocab, (80, 8)), -random.random((80, 8)).astype(np.float32))
        for table in knowledge.tables:
            table.learn(keys[:, : table.order], rows[:, : table.k], clock)
    assert knowledge.rows_learned > 20_000
    assert knowledge.nbytes <= MAX_BYTES


@pytest.mark.parametrize("order", [1, 2, 3])
def test_few_rows_and_many_are_learned_alike(order):
    random = np.random.default_rng(order)
    few, many = (CandidateTable(order, rows=64, k=3) for _ in range(2))
    for clock in range(1, 200):
        keys = random.integers(-1, 60, (int(random.integers(1, 9)), order)).astype(np.int32)
        rows = random.integers(1, 2**32, (len(keys), 3)).astype(np.uint32)
        if len({tuple(key) for key in keys.tolist()}) < len(keys):
            continue  # which row of a bucket goes first depends on the order within one call
        for number in range(len(keys)):
            few._learn_few(keys[number : number + 1].tolist(), rows[number : number + 1].tolist(), clock)
            many._learn_many(keys[number : number + 1], rows[number : number + 1], clock)
    assert (few.tags == many.tags).all()
    assert (few.stamps == many.stamps).all()
    assert (few.packed == many.packed).all()
