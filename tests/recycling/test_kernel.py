"""The compiled kernel does what its twins in Python do: the same trees, rows and counts."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.decoding.scripted import ScriptedContext
from tests.recycling.trees import draft_trees
from trchat.decoding.accept import accept
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.decoding.sequences import TreeSequences
from trchat.recycling import growth, kernel, suffix, topk
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.calibration import SIZES, STRIDES, Calibration
from trchat.recycling.candidates import CandidateTables, TableShape, pack
from trchat.recycling.cost import FixedCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.kernel import Kernel
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.native.sources import FILE, sources_hash
from trchat.recycling.proposer import make_proposer
from trchat.recycling.topk import top_k_and_mass
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree, chain_tree

COMPILER = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
KERNEL = kernel.KERNEL
N_VOCAB = 40

compiled = pytest.mark.skipif(KERNEL is None, reason="there is no compiled kernel")


@pytest.mark.skipif(not COMPILER, reason="there is no C compiler")
def test_where_there_is_a_compiler_the_kernel_is_that_of_these_sources():
    """If not: python hatch_build.py"""
    assert KERNEL is not None and KERNEL.sources() == sources_hash()


@compiled
def test_a_kernel_of_other_sources_is_not_used(monkeypatch):
    monkeypatch.setattr(kernel, "sources_hash", lambda: 7)
    with pytest.raises(ValueError, match="other sources"):
        Kernel(FILE)


@pytest.mark.parametrize("content", [None, b"", b"not a library"])
def test_without_a_kernel_that_can_be_loaded_all_is_done_in_python(content, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "FILE", tmp_path / "kernel")
    if content is not None:
        (tmp_path / "kernel").write_bytes(content)
    assert kernel._load() is None


@pytest.fixture
def both(monkeypatch):
    """Calls something with the kernel and without; returns both results."""

    def call(function, *args):
        results = []
        for either in (KERNEL, None):
            monkeypatch.setattr(kernel, "KERNEL", either)
            results.append(function(*args))
        return results

    return call


@pytest.fixture
def both_find_the_same(monkeypatch):
    """The kernel searches in any case: of other searches the mass may differ in the last bit."""

    def search(rows, k, **_):
        return topk._compiled(KERNEL, rows, k)

    monkeypatch.setattr(growth, "top_k_and_mass", search)


def learned(knowledge):
    """All that is exactly the same, and all that may differ in the last bits."""
    exact = [
        array.tolist()
        for table in knowledge.tables
        for array in (table.tags, table.stamps, table.counts, table.packed)
    ]
    calibration = knowledge.calibration
    names = ("source_seen", "source_hits", "weights", "bias", "set_weights", "set_bias")
    return exact, np.concatenate([getattr(calibration, name).ravel() for name in names])


def same(one, other):
    assert one[0] == other[0]
    np.testing.assert_allclose(one[1], other[1], rtol=1e-3, atol=1e-4)


def drafts(seed, width, without, n_texts=2):
    """Trees, and what was learned, over texts of a made-up model whose next tokens depend on the last two."""
    random = np.random.default_rng(seed)
    model = random.normal(scale=2.0, size=(N_VOCAB, N_VOCAB, N_VOCAB)).astype(np.float32)
    knowledge = Knowledge()
    drafter = AutoDrafter(knowledge, width=width, without=frozenset(without))
    trees = []
    for _ in range(n_texts):
        text = random.integers(0, N_VOCAB, 20).tolist()
        drafter.begin(text)
        for _ in range(20):
            tree = drafter.draft(200)
            trees.append((tree.tokens.tolist(), tree.parents.tolist(), tree.kinds, tree.probabilities or []))
            rows = [model[text[-2], text[-1]]]
            for node in range(len(tree)):
                parent = int(tree.parents[node])
                rows.append(model[text[-1] if parent == ROOT else tree.tokens[parent], tree.tokens[node]])
            logits = np.array(rows)
            choose = lambda row, logits=logits: int(logits[row].argmax())  # noqa: E731
            path, emitted, _ended = accept(tree, choose, lambda token: False, 99)
            drafter.learn(Verified(text[-1], tree, logits, path, emitted, 1 + len(tree)))
            text += emitted
        drafter.settle()
    return trees, learned(knowledge)


@compiled
@pytest.mark.parametrize("without", [(), ("suffix",), ("rows2", "recent"), ("calibration",)])
@pytest.mark.parametrize("width", [1, 2, 5, 24])
def test_trees_and_what_is_learned_are_the_same(both, both_find_the_same, width, without):
    (trees, known), (expected_trees, expected) = both(drafts, width, width, without)
    for (*tree, probabilities), (*expected_tree, expected_probabilities) in zip(
        trees, expected_trees, strict=True
    ):
        assert tree == expected_tree
        assert probabilities == pytest.approx(expected_probabilities, rel=1e-3)
    same(known, expected)


@compiled
def test_what_a_gpu_leaves_to_be_learned_later_is_learned_the_same(both, both_find_the_same, monkeypatch):

    def run():
        context = ScriptedContext(computes_apart=True, keeps_order=False, n_spare=0)
        knowledge = Knowledge()
        prompt, steps = [3, 1, 4, 1, 5, 9, 2, 6], []
        for _ in range(3):
            cache = KVCache(context)
            list(cache.prefill(prompt[:-1]))
            drafter = AutoDrafter(knowledge, FixedCosts({1: 10.0, 64: 11.0}, 0.0))
            steps += generate(cache, drafter, lambda _, row: int(row.argmax()), prompt, max_tokens=40)
            drafter.settle()
            context.clear()
        return [(step.tokens, step.tree.tokens.tolist()) for step in steps], learned(knowledge)

    (steps, known), (expected_steps, expected) = both(run)
    assert steps == expected_steps
    same(known, expected)


@compiled
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(0, 40),
    st.integers(0, 12),
    st.lists(st.lists(st.integers(0, 3), max_size=30), max_size=4),
)
def test_the_same_is_proposed_after_any_text(text, further, n_nodes, earlier):
    """Suffixes alone: matches of all lengths, in this text and earlier ones, followed below guesses."""
    trees = []
    for either in (KERNEL, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "KERNEL", either)
            patch.setattr(suffix, "MOST_EARLIER", 50)
            proposer = make_proposer(Knowledge())
            proposer.begin([9] * further)  # another text before
            for each in earlier:
                proposer.remember(each)
            proposer.begin(text[: len(text) // 2])
            for token in text[len(text) // 2 :]:
                proposer.note(EMPTY_TREE, (), [token])
            proposer.grow(n_nodes)
            tree = proposer.cut(n_nodes)
            labels = [labels.tolist() for labels in proposer.take_labels()]  # of tokens nothing was grown for
            trees.append((tree.tokens.tolist(), tree.parents.tolist(), tree.kinds, labels))
    assert trees[0] == trees[1]


@compiled
@pytest.mark.parametrize(("n", "spread"), [(1, 60), (3, 60), (40, 60), (200, 6)])
def test_rows_are_found_mixed_counted_and_evicted_alike(both, n, spread):
    shapes = [
        TableShape("one", (1,), 64, 8, 0.4),
        TableShape("two", (1, 2), 32, 3),
        TableShape("gap", (2, 3), 16, 4),
    ]

    def run():
        random = np.random.default_rng(n)
        tables = CandidateTables(shapes)
        for clock in range(1, 60):
            contexts = random.zipf(1.5, (n, 3)).clip(max=spread).astype(np.int32) - 2
            tokens = np.array([random.permutation(20)[:8] for _ in range(n)], np.int32)
            tables.learn(contexts, pack(tokens, -12 * random.random((n, 8)).astype(np.float32)), clock)
        return [[array.tolist() for array in (t.tags, t.stamps, t.counts, t.packed)] for t in tables.tables]

    one, other = both(run)
    assert one == other


@compiled
def test_hit_rates_are_the_same(both):
    def run():
        random = np.random.default_rng(3)
        calibration = Calibration()
        kinds = random.integers(0, STRIDES[-1] * SIZES[-1], 50)
        for _ in range(40):
            calibration.learn(random.choice(kinds, 100), random.random(100) < 0.3)
        return calibration, kinds.tolist()

    (one, kinds), (other, _) = both(run)
    for name in ("source_hits", "source_seen", "weights", "bias", "set_weights", "set_bias"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-4)
    assert [KERNEL.rate(one.handle, kind) for kind in kinds] == pytest.approx(
        [other.rates[kind] for kind in kinds], rel=1e-3
    )


@compiled
@pytest.mark.parametrize("width", [30, 700, 2112, 6417, 49_152])
@pytest.mark.parametrize("levels", [3, 1000])
def test_searches_find_the_same(both, width, levels):
    rows = np.random.default_rng(width).integers(0, levels, (30, width)).astype(np.float32) / 50
    (best, values, mass), (expected, expected_values, expected_mass) = both(top_k_and_mass, rows, 8)
    assert (best == expected).all() and (values == expected_values).all()
    np.testing.assert_allclose(mass, expected_mass, rtol=1e-5)
    strided = np.concatenate([rows, rows], axis=1)[:, :width]
    assert (both(top_k_and_mass, strided, 8)[0][0] == expected).all()


@compiled
@given(draft_trees(most=40))
def test_sequences_of_a_tree_are_the_same(tree):
    if not len(tree):
        return
    assigned = []
    for either in (KERNEL, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "KERNEL", either)
            sequences = TreeSequences(48, 40)
            sequences.assign(tree)
            seen_by = [sequences.of(node).tolist() for node in range(len(tree))]
            assigned.append((sequences.n, sequences.depths[: len(tree)].tolist(), seen_by))
    assert assigned[0] == assigned[1]
    n_seq, _, seen_by = assigned[0]
    assert {seq for seen in seen_by for seq in seen} == set(range(n_seq))
    assert n_seq == max(len(tree.paths), min(len(tree), 8))


def test_a_tree_whose_parents_do_not_come_first_is_refused(either_way):
    for parents in ([0], [-1, 1], [-2]):
        with pytest.raises(ValueError, match="parents come before"):
            TreeSequences(16, 14).assign(DraftTree(np.zeros(len(parents)), np.array(parents)))


@compiled
def test_what_would_make_the_kernel_look_beyond_its_memory_is_refused():
    proposer = make_proposer(Knowledge())
    proposer.begin([1, 2, 3, 1, 2])
    proposer.grow(2)
    tree = proposer.cut(2)
    for whole, path in ((tree, (2,)), (tree, (-1,)), (EMPTY_TREE, (0,)), (chain_tree(np.arange(3)), ())):
        with pytest.raises(ValueError, match="tree that was cut"):
            proposer.note(whole, path, (3, 4))
    proposer.note(tree, (0,), (3, 4))
    for rows in (np.zeros((2, 8)), np.zeros((3, 16))[:, ::2]):
        with pytest.raises(ValueError, match="tree that was noted"):
            proposer.recycle(rows.astype(np.float32) if len(rows) == 2 else rows)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [slice(None), slice(0, 1), slice(3, None, 7)])
def test_logits_that_are_no_numbers_break_nothing(either_way, odd, where):
    """The answer ends there, but rows of guesses that were not followed have been seen by then."""
    proposer = make_proposer(Knowledge())
    proposer.begin([1, 2, 3, 1, 2])
    for n_vocab in (16, 8000):
        rows = np.random.default_rng(1).normal(size=(1, n_vocab)).astype(np.float32)
        rows[:, where] = odd
        proposer.grow(4)
        proposer.note(EMPTY_TREE, (), (3,))
        with np.errstate(all="ignore"):
            proposer.recycle(rows)
    assert all(0 <= probability <= 1 for probability in proposer.grow(20))
    assert all(0 <= token < 8000 for token in proposer.cut(20).tokens.tolist())
