"""The KV cache and its editing, and what drafts rely on: verified rows equal one-token rows bit for bit."""

import llama_cpp.llama_cpp as llama
import numpy as np
import pytest
from gguf import GGMLQuantizationType

from tests.first_layers import first_layers
from trchat.decoding.kv_cache import KVCache
from trchat.errors import TrchatError
from trchat.llama.context import Context, ContextOptions
from trchat.llama.model import Model
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree, chain_tree

BRANCHED = DraftTree(
    np.array([60, 70, 80, 90, 61, 71], np.int32), np.array([ROOT, 0, 1, 2, ROOT, 4], np.int32)
)


def one_by_one(cache, prompt):
    """Each row of ``BRANCHED`` behind 50, written a token at a time: the root's, and along both branches."""
    for path in ([ROOT, 0, 1, 2, 3], [ROOT, 4, 5]):
        cache.reuse([*prompt, 0])
        for node in path:
            token = 50 if node == ROOT else int(BRANCHED.tokens[node])
            yield 1 + node, cache.verify([token], EMPTY_TREE)[0]
            cache.keep(())


@pytest.fixture(scope="module")
def file(demo_model, tmp_path_factory):
    return first_layers(demo_model, tmp_path_factory.mktemp("layers") / "three.gguf", 3)


@pytest.fixture(scope="module")
def model(file):
    """The demo model's shapes and weights, which choose the kernels, in few layers."""
    with Model(file) as model:
        yield model


def test_a_context_of_any_size_takes_as_long_a_prompt_as_it_says(tiny):
    with Model(tiny()) as model, Context(model, ContextOptions(n_ctx=300, threads=1)) as context:
        cache = KVCache(context)
        prompt = [token % 300 for token in words(context.n_ctx - 1)]
        assert list(cache.prefill(prompt))[-1] == context.n_ctx - 1


@pytest.mark.parametrize("width", [1, 40])
def test_without_layers_on_a_gpu_the_processor_computes_all(model, file, width):
    rows = []
    with Model(file, 0) as on_processor:
        for one in (model, on_processor):
            with Context(one, ContextOptions(threads=2)) as context:
                rows.append(
                    KVCache(context).verify([50], chain_tree(np.array(words(width), np.int32))).copy()
                )
    if not llama.llama_supports_gpu_offload():
        assert (rows[0] == rows[1]).all()
    assert np.allclose(rows[0], rows[1], atol=0.5)


def words(n):
    return np.random.default_rng(5).integers(100, 40_000, n).tolist()


@pytest.mark.parametrize("cache_type", ["f16", "q8_0"])
def test_a_tree_is_verified_bit_for_bit_at_any_length(model, cache_type):
    with Context(model, ContextOptions(cache_type=cache_type)) as context:
        cache = KVCache(context)
        for length in (5, 250, 600, 1100):  # each goes on from the one before
            prompt = words(1100)[:length]
            cache.reuse([*prompt, 0])
            list(cache.prefill(prompt[len(cache.tokens) :]))
            assert cache.tokens == prompt
            rows = cache.verify([50], BRANCHED).copy()
            for row, plain in one_by_one(cache, prompt):
                assert (rows[row] == plain).all(), (length, row)


def test_the_width_of_a_batch_does_not_show(model):
    with Context(model, ContextOptions()) as context:
        cache = KVCache(context)
        prompt, drafts = words(300), words(80)
        list(cache.prefill(prompt))
        plain = []
        for token in [50, *drafts]:
            plain.append(cache.verify([token], EMPTY_TREE)[0].copy())
            cache.keep(())
        for width in (2, 3, 4, 7, 16, 33, 80):
            cache.reuse([*prompt, 0])
            wide = cache.verify([50], chain_tree(np.array(drafts[:width], np.int32)))
            assert (wide == np.array(plain[: width + 1])).all(), width


@pytest.mark.parametrize("weights", ["Q8_0", "Q4_0", "Q4_1"])
@pytest.mark.parametrize("arch", ["llama", "qwen2", "gemma2"])
def test_architectures_bit_for_bit_also_beyond_a_sliding_window(tiny, arch, weights):
    file = tiny(arch, quantisation=GGMLQuantizationType[weights])
    with Model(file) as model, Context(model, ContextOptions(threads=1)) as context:
        cache = KVCache(context)
        prompt = [token % 300 for token in words(40)]
        list(cache.prefill(prompt))
        rows = cache.verify([50], BRANCHED).copy()
        for row, plain in one_by_one(cache, prompt):
            assert (rows[row] == plain).all(), row


def test_snapshots_are_kept_only_where_llama_cpp_can_go_back_to_them(tiny):
    for arch, granted in (("qwen35", 4), ("mamba2", 0), ("llama", 0)):
        with (
            Model(tiny(arch)) as model,
            Context(model, ContextOptions(n_ctx=256, threads=1, snapshots=4)) as context,
        ):
            assert context.snapshots == granted
            assert context.saves_state == (arch != "llama")
            assert context.n_seq == {"qwen35": 1, "mamba2": 2, "llama": 64}[arch]


def test_a_context_without_memory_is_one_line(model, monkeypatch):
    # What llama.cpp does when an allocation fails; really failing takes half a minute.
    monkeypatch.setattr(llama, "llama_init_from_model", lambda *_args: None)
    with pytest.raises(
        TrchatError, match=r"not enough memory for a context of 9216 tokens.*try a smaller --ctx"
    ):
        Context(model, ContextOptions(n_ctx=9216))


@pytest.mark.parametrize(
    ("weights", "flash_attn", "alike"),
    [("Q8_0", "auto", True), ("Q8_0", "off", False), ("F16", "auto", False), ("F16", "on", False)],
)
def test_a_tree_is_verified_under_each(tiny, weights, flash_attn, alike):
    file = tiny(quantisation=GGMLQuantizationType[weights])
    with (
        Model(file, 0) as model,
        Context(model, ContextOptions(n_ctx=1024, threads=1, flash_attn=flash_attn)) as context,
    ):
        assert context.keeps_order == context.attention.alike == alike
        cache = KVCache(context)
        list(cache.prefill([token % 300 for token in range(3, 603)]))
        wide = cache.verify([50], chain_tree(np.arange(9, dtype=np.int32))).copy()
        cache.keep(())
        cache.truncate(600)
        for row, token in enumerate([50, *range(9)]):
            plain = cache.verify([token], EMPTY_TREE)[0]
            cache.keep(())
            if alike:
                assert (wide[row] == plain).all()
            else:
                assert np.abs(wide[row] - plain).max() < 0.05 * np.abs(plain).max()
