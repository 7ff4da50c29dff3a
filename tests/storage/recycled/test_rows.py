"""Rows on the disk, and merging them: whoever comes first, the newest and those learned often stay."""

from itertools import permutations
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.candidates import CandidateTables, TableShape
from trchat.storage.recycled.rows import HALF_LIFE, Rows, Shape, decode, encode, joined, merge, no_rows
from trchat.storage.recycled.segments import pruned
from trchat.storage.recycled.tables import (
    absorb,
    absorb_matrix,
    matrix_rows_since,
    rows_since,
    shapes_of,
    table_shape,
)

WAYS = 4
N_VOCAB = 1 << 20


def tables(rows):
    """The memory of one small table, and that table."""
    memory = CandidateTables([TableShape("rows2", (1, 2), rows, 2)])
    return memory, memory.tables[0]


PACKED = table_shape(tables(16)[1], N_VOCAB)
SHAPE = Shape("rows2", 4, WAYS, 8, "", PACKED.sound)


def rows_of(entries):
    """Rows of (place, tag, stamp); counts and candidates follow from these, as they do from real learning."""
    columns = np.array(list(entries), np.uint32).reshape(-1, 3)
    places, tags, stamps = (column.copy() for column in columns.T)
    number = places * 10_000 + tags * 100 + stamps
    packed = np.stack([number << 8 | 1, number + 1 << 8 | 9], axis=1).astype(np.uint32)
    return Rows(places, tags, stamps, count(tags, stamps).astype(np.uint8), packed.view(np.uint8))


def count(tag, stamp):
    """A row that is learned again has been learned more often; several may tie."""
    return stamp + tag % 3 * 7


def entries_of(rows):
    return set(zip(rows.places.tolist(), rows.tags.tolist(), rows.stamps.tolist(), strict=True))


def counted(counts, stamps):
    """Rows of one place, their tags 1, 2, ..."""
    tags = np.arange(1, len(counts) + 1, dtype=np.uint32)
    content = rows_of((0, tag, 1) for tag in tags).content
    return Rows(tags * 0, tags, np.array(stamps, np.uint32), np.array(counts, np.uint8), content)


ENTRIES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 30)), max_size=40)


def plainly(entries):
    """What merging means, said slowly."""
    newest = {}
    for place, tag, stamp in entries:
        newest[place, tag] = max(stamp, newest.get((place, tag), 0))
    kept = set()
    for place in range(4):
        here = [
            (stamp + HALF_LIFE * log2(count(tag, stamp)), -tag, stamp)
            for (at, tag), stamp in newest.items()
            if at == place
        ]
        kept |= {(place, -tag, stamp) for _, tag, stamp in sorted(here)[-WAYS:]}
    return kept


@given(ENTRIES)
def test_the_newest_row_of_each_tag_and_the_best_rows_of_each_place(entries):
    merged = merge(rows_of(entries), WAYS)
    assert entries_of(merged) == plainly(entries)
    assert (np.diff(merged.places.astype(int)) >= 0).all()
    again = rows_of(zip(merged.places, merged.tags, merged.stamps, strict=True))
    assert np.array_equal(again.content, merged.content), "candidates stay with their row"
    assert np.array_equal(again.counts, merged.counts)


@given(ENTRIES, ENTRIES, ENTRIES)
def test_merging_is_commutative_associative_and_idempotent(one, two, three):
    a, b, c = (merge(rows_of(each), WAYS) for each in (one, two, three))

    def both(x, y):
        return merge(joined([x, y]), WAYS)

    assert entries_of(both(a, b)) == entries_of(both(b, a))
    assert entries_of(both(both(a, b), c)) == entries_of(both(a, both(b, c)))
    assert entries_of(both(a, a)) == entries_of(a)


def test_of_rows_worth_the_same_those_of_lower_tags_stay_whoever_comes_first():
    rows = counted([3] * 6, [7] * 6)
    for order in permutations(range(6)):
        assert merge(rows.only(np.array(order)), WAYS).tags.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "counts, stamps, leaves",
    [
        ([2, 2, 1, 2, 2], [900, 901, 902, 903, 904], 3),  # as new as the others, and learned less often
        ([9, 9, 9, 9, 9], [904, 903, 900, 902, 901], 3),  # as often as the others, and longer ago
        ([8, 1, 1, 1, 1], [904 - 3 * HALF_LIFE + 5, 904, 904, 904, 900], 5),  # an old favourite
        ([8, 1, 1, 1, 1], [900 - 3 * HALF_LIFE - 5, 904, 904, 904, 900], 1),  # its time is over
    ],
)
def test_what_is_learned_often_outlives_newer_rows_for_a_while(counts, stamps, leaves):
    kept = merge(counted(counts, stamps), WAYS)
    assert {1, 2, 3, 4, 5} - set(kept.tags.tolist()) == {leaves}


def test_counts_fade_as_saves_go_by_and_never_to_nothing():
    rows = counted([255, 200, 9, 1], [100, 100 + HALF_LIFE, 100 + 2 * HALF_LIFE - 1, 1])
    assert rows.aged(100 + 2 * HALF_LIFE).counts.tolist() == [63, 100, 9, 1]
    assert rows.aged(1 << 31).counts.tolist() == [1, 1, 1, 1]
    assert rows.aged(0).counts.tolist() == [255, 200, 9, 1], "from the future: a damaged file"


def test_a_row_learned_again_after_a_while_is_worth_more_than_before():
    counts = np.arange(1, 256)
    rows = counted(counts, [500] * 255)
    for later in (501, 500 + HALF_LIFE - 1, 500 + HALF_LIFE, 500 + 5 * HALF_LIFE, 1 << 20):
        aged = rows.aged(later)
        again = counted(np.minimum(aged.counts.astype(int) + 1, 255), [later] * 255)
        assert (again.worth() > rows.worth()).all()


def test_rows_of_the_first_version_were_learned_once():
    import zlib

    rows = rows_of([(0, 5, 3), (2, 7, 9)])
    planes = zlib.decompress(encode(rows))
    back = decode(zlib.compress(planes[: -len(rows)]), 2, SHAPE)
    assert back.counts.tolist() == [1, 1]
    assert np.array_equal(back.stamps, rows.stamps) and np.array_equal(back.content, rows.content)


@given(ENTRIES)
def test_rows_come_back_as_they_went(entries):
    rows = merge(rows_of(entries), WAYS)
    back = decode(encode(rows), len(rows), SHAPE)
    assert entries_of(back) == entries_of(rows)
    assert np.array_equal(back.counts, rows.counts)
    assert np.array_equal(back.content, rows.content)


@given(ENTRIES, st.integers(0, 60), st.binary(max_size=80))
def test_no_bytes_at_all_bring_a_row_that_cannot_be(entries, count, noise):
    data = encode(merge(rows_of(entries), WAYS))
    for damaged in (noise, data[: len(data) // 2], data + noise, noise + data):
        found = decode(damaged, count, SHAPE)
        assert (found.places < SHAPE.buckets).all() and (found.tags > 0).all()
        assert (found.content.view(np.uint32) >> 8 < N_VOCAB).all()


@pytest.mark.parametrize(
    "place, tag, packed",
    [
        (4, 1, [7 << 8 | 1, 0]),  # no such place
        (0, 0, [7 << 8 | 1, 0]),  # the tag of a free row
        (0, 1, [1 << 20 << 8 | 1, 0]),  # no such token
        (0, 1, [7 << 8, 0]),  # no probability
        (0, 1, [7 << 8 | 1, 7 << 8 | 2]),  # a token twice
        (0, 1, [0, 0]),  # nothing
    ],
)
def test_a_row_that_cannot_be_is_left_out_and_the_others_stay(place, tag, packed):
    right = rows_of([(0, 5, 3)])
    column = np.array([place], np.uint32)
    wrong = Rows(
        column,
        np.array([tag], np.uint32),
        np.array([2], np.uint32),
        np.array([2], np.uint8),
        np.array([packed], np.int64).astype(np.uint32).view(np.uint8),
    )
    data = encode(joined([right, wrong]))
    assert entries_of(decode(data, 2, SHAPE)) == {(0, 5, 3)}


def test_a_bomb_goes_off_no_further_than_was_announced():
    import zlib

    bomb = zlib.compress(bytes(1 << 24))
    assert len(decode(bomb, 3, SHAPE)) == 0
    assert len(decode(bomb, 1 << 40, SHAPE)) == 0


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3)), max_size=60), st.integers(0, 60))
def test_a_table_and_what_was_saved_of_it_meanwhile_are_the_table(lessons, cut):
    """Learning on, and taking in what had been saved before, gives the same rows in any order.

    Of a crowded bucket it may be others, that were worth more when they made room.
    """
    (memory, table), (_, one), (_, other) = tables(64), tables(64), tables(64)
    shape = table_shape(tables(64)[1], 1000)
    saved = no_rows(8)
    for clock, (token, extra) in enumerate(lessons, 1):
        packed = np.array([[token + 1 << 8 | 5, token + 2 + extra << 8 | 4]], np.uint32)
        memory.learn(np.array([[token, extra, 0]], np.int32), packed, clock)
        if clock == cut:
            saved = rows_since(table, 0)
    if len(saved):
        saved = decode(encode(saved), len(saved), shape)
    rest = rows_since(table, cut if len(saved) else 0)
    for target, parts in ((one, (rest, saved)), (other, (saved, rest))):
        for part in parts:
            absorb(target, part)
    found, learned = rows_since(one, 0), rows_since(table, 0)
    assert entries_of(found) == entries_of(rows_since(other, 0))
    assert sorted(found.counts) == sorted(rows_since(other, 0).counts)
    for place in range(16):
        here, there = (rows.only(rows.places == place) for rows in (found, learned))
        assert len(here) == len(there)
        missing = there.only(~np.isin(there.tags, here.tags))
        assert not len(missing) or missing.worth().max() < here.worth().min()


def test_the_papers_matrix_keeps_the_newer_row_of_each_token():
    one, two = AdjacencyMatrix(50), AdjacencyMatrix(50)
    one.update(np.array([3, 4]), np.arange(16).reshape(2, 8))
    two.update(np.array([9]), np.full((1, 8), -1))
    two.update(np.array([4]), np.arange(8).reshape(1, 8) + 30)
    rows = matrix_rows_since(one, 0)
    absorb_matrix(two, decode(encode(rows), 2, shapes_of(50)["matrix"]))
    assert two.candidates[3].tolist() == list(range(8))
    assert two.candidates[4].tolist() == list(range(30, 38)), "learned at 2, the other at 1"


def test_the_oldest_rows_go_first_whatever_their_source():
    random = np.random.default_rng(0)

    def many(count, times):
        order = np.arange(count, dtype=np.uint32)
        packed = random.integers(1, 1 << 28, (count, 4)).astype(np.uint32)
        tags = random.integers(1, 1 << 32, count).astype(np.uint32)
        return Rows(order, tags, order + 1, np.full(count, times, np.uint8), packed.view(np.uint8))

    # A source that does not count how often must not be crowded out by those that do.
    rows = {"rows1": many(3000, times=200), "rows2": many(5000, times=1)}
    kept, encoded = pruned(rows, 70_000, 60_000)
    assert 50_000 < sum(map(len, encoded.values())) <= 60_000
    oldest = min(found.stamps.min() for found in kept.values())
    for name, found in kept.items():
        younger = rows[name].stamps[rows[name].stamps > oldest]
        assert np.array_equal(found.stamps[found.stamps > oldest], younger)
    assert len(kept["rows1"]) < len(kept["rows2"]) / 2, "one source had stopped learning long before"
