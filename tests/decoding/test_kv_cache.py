"""The KV cache stays in position order, whatever trees came and went; on a context without a model."""

import numpy as np
import pytest

from tests.decoding.scripted import ScriptedContext, next_logits
from trchat.decoding.kv_cache import LONGEST_GAP, KVCache
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

PROMPT = [3, 1, 4, 1, 5]


def tree(tokens, parents):
    return DraftTree(np.array(tokens, np.int32), np.array(parents, np.int32))


@pytest.fixture
def cache():
    cache = KVCache(ScriptedContext())
    assert list(cache.prefill(PROMPT)) == [5]
    return cache


HIDDEN = ScriptedContext.n_seq - 1


def cells(cache):
    """Visible cells in the order in which they lie."""
    return [(cell.token, cell.pos) for cell in cache.context.cells if cell and cell.seqs != {HIDDEN}]


def hidden(cache):
    return [(cell.token, cell.pos) for cell in cache.context.cells if cell and cell.seqs == {HIDDEN}]


def text_of(cache):
    return list(zip(cache.tokens, range(len(cache.tokens)), strict=True))


#           root
#         2      8        nodes 0, 3
#        / \      \
#       7   9      9      nodes 1, 4, 5
#       |
#       6                 node 2
TREE = tree([2, 7, 6, 8, 9, 9], [ROOT, 0, 1, ROOT, 0, 3])


def test_every_node_sees_the_prefix_and_its_own_ancestors_only(cache):
    logits = cache.verify([9, 2], TREE)
    base = [*PROMPT, 9, 2]
    paths = [[], [2], [2, 7], [2, 7, 6], [8], [2, 9], [8, 9]]
    for row, path in enumerate(paths):
        assert (logits[row] == next_logits(base + path)).all()


@pytest.mark.parametrize(
    ("path", "text", "gaps"),
    [
        ((0, 1, 2), [2, 7, 6], []),  # the whole chain
        ((0, 1), [2, 7], []),
        ((0,), [2], []),
        ((), [], []),
        ((0, 4), [2, 9], [(7, 8), (6, 9), (8, 7)]),  # leaves the chain after one node
        ((3, 5), [8, 9], [(2, 7), (7, 8), (6, 9), (9, 8)]),  # another branch altogether
    ],
)
def test_accepted_cells_stay_in_order_and_rejected_ones_between_them_are_hidden(cache, path, text, gaps):
    cache.verify([9, 2], TREE)
    assert cache.keep(path) == len(path)
    assert cache.tokens == [*PROMPT, 9, 2, *text]
    assert cells(cache) == text_of(cache)
    assert hidden(cache) == gaps
    assert cache.hidden == len(gaps)
    # Whatever was dropped, the next tree sees a clean prefix again, also with a gap behind its position.
    logits = cache.verify([5], TREE)
    assert (logits[3] == next_logits([*cache.tokens, 5, 2, 7, 6])).all()
    assert (logits[6] == next_logits([*cache.tokens, 5, 8, 9])).all()
    assert cache.keep(()) == 0
    assert (cells(cache), hidden(cache)) == (text_of(cache), gaps)


@pytest.mark.parametrize(("n_spare", "kept"), [(4, 2), (3, 1), (2, 0), (0, 0)])
def test_without_room_for_a_gap_the_tokens_behind_it_are_sent_again(n_spare, kept):
    cache = KVCache(ScriptedContext(n_spare=n_spare))
    list(cache.prefill(PROMPT))
    cache.verify([9], TREE)
    assert cache.keep((3, 5)) == kept
    assert cells(cache) == text_of(cache)
    assert cache.hidden == len(hidden(cache)) <= n_spare


def test_a_gap_may_not_be_too_long(cache):
    n = LONGEST_GAP + 1
    fan = tree(list(range(n + 1)), [ROOT] * (n + 1))
    cache.verify([9], fan)
    assert cache.keep((n,)) == 0
    cache.verify([9], fan)
    assert cache.keep((n - 1,)) == 1
    assert cache.hidden == LONGEST_GAP


def test_where_order_does_not_matter_gaps_are_left_to_later_tokens():
    cache = KVCache(ScriptedContext(keeps_order=False, n_spare=0))
    list(cache.prefill(PROMPT))
    cache.verify([9], TREE)
    assert cache.keep((3, 5)) == 2
    assert hidden(cache) == []
    for row, path in enumerate([[], [2], [2, 7], [2, 7, 6], [8], [2, 9], [8, 9]]):
        logits = cache.verify([4], TREE)
        assert (logits[row] == next_logits([*cache.tokens, 4, *path])).all()
        cache.keep(())


def test_what_is_dropped_takes_its_gaps_along_but_never_tears_one_open(cache):
    cache.verify([9], TREE)
    cache.keep((3, 5))  # hides positions 6, 7, 8 and 7; two visible tokens behind them
    gaps = hidden(cache)
    cache.truncate(7)
    assert (cells(cache), hidden(cache)) == (text_of(cache), gaps)
    cache.truncate(6)
    assert (cells(cache), hidden(cache)) == (text_of(cache), [])
    assert cache.hidden == 0
    assert cache.reuse([*PROMPT, 9, 1]) == 6


def test_sequences_are_brought_up_to_date_only_when_a_tree_needs_them(cache):
    context = cache.context
    cache.verify([9], EMPTY_TREE)
    cache.keep(())
    cache.verify([8], tree([2], [ROOT]))
    cache.keep((0,))
    assert context.calls == []  # one leaf: sequence 0 does it all, and nothing was rejected
    cache.verify([1], tree([2, 3, 4], [ROOT, ROOT, ROOT]))
    assert context.calls == [("copy", 0, 1, 0, 8), ("copy", 0, 2, 0, 8)]
    cache.keep(())
    context.calls.clear()
    cache.verify([1], tree([2, 3], [ROOT, ROOT]))
    assert context.calls == []  # they held the prefix and forced token already


@pytest.mark.parametrize("n", [3, 7, 15, 31, 61])
def test_trees_of_one_size_use_as_many_sequences_unless_they_have_very_many_leaves(n):
    """Or llama.cpp would have to build its graph anew; and each sequence takes time."""

    def sequences(grown):
        cache = KVCache(ScriptedContext())
        list(cache.prefill(PROMPT))
        cache.verify([9], grown)
        ids = cache.context.batch.seq_id[0, : cache.context.batch.n_seq_id[0]]
        return sorted(ids.tolist())

    random = np.random.default_rng(n)
    tokens = random.integers(0, 16, n)
    deep = tree(tokens, [ROOT, *range(n - 1)])
    bushy = tree(tokens, [ROOT if node % (n // 7 + 1) == 0 else node - 1 for node in range(n)])
    fan = tree(tokens, [ROOT] * n)
    assert len(bushy.paths) <= 8
    assert sequences(deep) == sequences(bushy) == list(range(min(n, 8)))
    assert sequences(fan) == list(range(n))


@pytest.mark.parametrize("where", [{}, {"keeps_order": False, "n_spare": 0}])
def test_a_chain_that_is_all_accepted_is_shown_to_the_sequences_that_saw_its_beginning(where):
    cache = KVCache(ScriptedContext(**where))
    list(cache.prefill(PROMPT))
    chain = list(range(20))
    cache.verify([9], tree([node % 16 for node in chain], [ROOT, *chain[:-1]]))
    assert cache.keep(chain) == 20
    logits = cache.verify([7], tree(list(range(16)), [ROOT] * 16))
    for row in range(1, 17):
        assert (logits[row] == next_logits([*cache.tokens, 7, row - 1])).all()


def test_prefill_goes_batch_by_batch():
    cache = KVCache(ScriptedContext())
    tokens = list(range(10)) * 30
    assert list(cache.prefill(tokens)) == [128, 256, 300]
    assert cache.tokens == tokens
    assert cache.room == 512 - 300


def test_reuse_keeps_the_common_prefix_and_never_the_whole_prompt(cache):
    assert cache.reuse([3, 1, 9, 9]) == 2
    assert cells(cache) == [(3, 0), (1, 1)]
    assert cache.reuse([3, 1]) == 1
    assert cache.reuse([7]) == 0
    assert cells(cache) == []


def test_reuse_clears_up_after_a_step_that_was_never_settled(cache):
    cache.verify([9], TREE)
    assert cache.reuse([*PROMPT, 8]) == 5
    assert cells(cache) == list(zip(PROMPT, range(5), strict=True))


def test_a_failed_decode_leaves_the_cache_as_it_was(cache):
    cache.context.fail_at = cache.context.decodes + 1
    with pytest.raises(RuntimeError):
        cache.verify([9], TREE)
    assert cells(cache) == list(zip(PROMPT, range(5), strict=True))
    cache.verify([9], TREE)
    assert cache.keep((0,)) == 1


def test_random_trees_and_random_acceptance_never_disturb_the_order():
    random = np.random.default_rng(3)
    for _ in range(60):
        cache = KVCache(ScriptedContext(n_spare=int(random.integers(0, 40))))
        list(cache.prefill(random.integers(0, 16, int(random.integers(1, 9))).tolist()))
        forced = [int(random.integers(0, 16))]
        for _ in range(10):
            n = int(random.integers(0, 20))
            grown = tree(random.integers(0, 16, n), [int(random.integers(-1, node)) for node in range(n)])
            logits = cache.verify(forced, grown)
            base = cache.tokens + forced
            path, node = [], ROOT
            while (children := np.flatnonzero(grown.parents == node).tolist()) and random.random() < 0.8:
                node = int(random.choice(children))
                path.append(node)
                text = base + grown.tokens[path].tolist()
                assert (logits[1 + node] == next_logits(text)).all()
            kept = cache.keep(path)
            forced = [*grown.tokens[path[kept:]].tolist(), int(random.integers(0, 16))]
            assert cache.tokens == base + grown.tokens[path[:kept]].tolist()
            assert cells(cache) == text_of(cache)
            assert cache.hidden == len(hidden(cache))
            if random.random() < 0.2:
                cache.truncate(int(random.integers(1, 1 + len(cache.tokens))))
                forced = [int(random.integers(0, 16))]
                assert cells(cache) == text_of(cache)
                assert cache.hidden == len(hidden(cache))


def step(cache, random):
    """A random tree, a random part of it accepted."""
    n = int(random.integers(0, 12))
    grown = tree(random.integers(0, 16, n), [int(random.integers(-1, node)) for node in range(n)])
    cache.verify([int(random.integers(0, 16))], grown)
    path, node = [], ROOT
    while children := np.flatnonzero(grown.parents == node).tolist():
        node = int(random.choice(children))
        path.append(node)
    cache.keep(path)


@pytest.mark.parametrize("window", [0, 5])
@pytest.mark.parametrize("keeps_order", [True, False])
def test_what_was_copied_out_and_brought_back_is_as_it_was(window, keeps_order):
    random = np.random.default_rng(4)
    for _ in range(30):
        cache = KVCache(ScriptedContext(window=window, keeps_order=keeps_order))
        assert cache.span == (4 if window else 128)
        span = 4
        list(cache.prefill(random.integers(0, 16, int(random.integers(1, 20))).tolist()))
        for _ in range(6):
            step(cache, random)
        text = list(cache.tokens)
        stops = [*range(span, len(text), span), len(text)]
        parts = [cache.save_span(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
        assert cache.tokens == text and sorted(cells(cache), key=lambda cell: cell[1]) == text_of(cache)
        step(cache, random)  # the sequence that was lent is as good as before
        keep = int(random.integers(0, len(stops))) * span
        cache.truncate(min(keep, len(text)))
        for start, part in zip(range(0, len(text), span), parts, strict=True):
            if start >= keep:
                assert cache.load_span(text[start : start + span], *part)
        assert cache.tokens == text
        for _ in range(3):
            step(cache, random)  # nothing is missing, strange or out of order (see ScriptedContext.visible)


def test_what_a_window_has_lost_is_not_taken():
    cache = KVCache(ScriptedContext(window=5))
    list(cache.prefill(list(range(8))))
    points, parts = cache.save_span(0, 8)
    cache.truncate(0)
    assert not cache.load_span(list(range(8)), points, parts)
    assert cache.tokens == [] and not any(cache.context.cells)


def test_what_does_not_fit_is_not_taken(cache):
    points, parts = cache.save_span(0, 5)
    list(cache.prefill([1] * (cache.room - 4)))
    assert not cache.load_span(PROMPT, points, parts)
    assert not cache.load_span([1], points, [])
    assert len(cache.tokens) == cache.context.n_ctx - 4
