"""What a model will take, and the way out that is offered when that is too much."""

import numpy as np
import pytest

from tests.gguf_files import write_gguf
from trchat.catalog import free_memory
from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import MemoryNeed, estimate, memory_warning


@pytest.fixture
def header(tmp_path):
    return read_header(write_gguf(tmp_path / "tiny.gguf"))


SPARE = 512  # cells in which hidden ones keep the order of the others, where that matters


def test_the_estimate_is_weights_and_cache_and_compute(header):
    # 2 layers x 2 KV heads x (8 + 8) numbers a token, of 2 bytes. Compute: a mask of two bytes, 4 x 32
    # numbers of 512 tokens, and 64 rows of 8 logits.
    cells = 1024 + SPARE
    compute = 512 * (cells * 2 + 4 * 4 * 32) + 64 * 8 * 4
    assert estimate(header, 1024) == MemoryNeed(header.file_size, cells * 64 * 2, compute)
    assert estimate(header, 1024).layers == (cells * 64, cells * 64)
    assert estimate(header, 1024, "q8_0").kv_cache == cells * 64 * 34 // 32
    assert estimate(header, 1024, on_gpu=True).kv_cache == 1024 * 64 * 2
    assert estimate(header, 1000) == estimate(header, 1024), "llama.cpp rounds contexts up"


def f16_layer(writer):
    writer.add_tensor("blk.0.ffn_up.weight", np.zeros((32, 32), dtype=np.float16))


def test_scores_count_where_attention_writes_them_down(tmp_path, header):
    f16 = read_header(write_gguf(tmp_path / "f16.gguf", add=f16_layer))
    scores = 512 * 1024 * 4 * 4  # of 4 heads
    more = estimate(f16, 1024, flash_attn="off").compute - estimate(f16, 1024).compute
    assert scores < more < 1.2 * scores
    assert estimate(f16, 1024, flash_attn="auto") == estimate(f16, 1024, flash_attn="off"), "it is F16"
    assert estimate(f16, 1024, "q8_0", "off") == estimate(f16, 1024, "q8_0"), "which needs it"
    assert estimate(f16, 10**7, flash_attn="auto") == estimate(f16, 10**7), "too many scores"
    assert estimate(header, 1024, flash_attn="auto") == estimate(header, 1024), "no layer rounds by width"


def test_per_layer_heads_and_named_head_sizes_count(tmp_path):
    def add(writer):
        writer.kv_data[0].pop("llama.attention.head_count_kv")
        writer.add_array("llama.attention.head_count_kv", [0, 3])
        writer.add_key_length(128)
        writer.add_value_length(64)

    header = read_header(write_gguf(tmp_path / "hybrid.gguf", add=add))
    assert estimate(header, 256, on_gpu=True).layers == (0, 256 * 3 * (128 + 64) * 2)


def test_no_warning_when_it_fits_or_nobody_knows(header):
    assert memory_warning(header, 4096, "f16", estimate(header, 4096).total) is None
    assert memory_warning(header, 4096, "f16", None) is None


def test_the_warning_names_the_flag_that_makes_it_fit(header):
    free = estimate(header, 1_000_000, "q8_0").total
    line = memory_warning(header, 1_000_000, "f16", free)
    assert line == (
        "tiny.gguf needs about 1.2 GB (weights 3.1 kB, KV cache 128 MB, compute 1.0 GB), 1.1 GB are free: "
        "--cache-type q8_0 makes it fit"
    )
    free = estimate(header, 2048).total
    assert memory_warning(header, 1_000_000, "f16", free).endswith(": -c 2048 makes it fit")
    assert memory_warning(header, 2048, "f16", free) is None, "what was promised holds"
    assert memory_warning(header, 2048, "f16", 1000).endswith(": take a smaller model or quantisation (-m)")


def test_a_headers_lies_break_nothing(tmp_path):
    def add(writer):
        for key in ("block_count", "embedding_length", "attention.head_count", "attention.head_count_kv"):
            writer.kv_data[0].pop(f"llama.{key}")
        writer.add_string("llama.block_count", "many")
        writer.add_uint32("llama.embedding_length", 2**32 - 1)
        writer.add_array("llama.attention.head_count_kv", ["a", "b"])

    header = read_header(write_gguf(tmp_path / "liar.gguf", add=add))
    assert estimate(header, 4096).kv_cache == 0
    assert memory_warning(header, 4096, "f16", 10**9).endswith("take a smaller model or quantisation (-m)")


def test_linux_meminfo():
    text = "MemTotal:       16000 kB\nMemFree:          100 kB\nMemAvailable:   8000 kB\n"
    assert free_memory.free_in_meminfo(text) == 8000 * 1024
    assert free_memory.free_in_meminfo("nothing") is None


def test_a_containers_limit(tmp_path):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("600000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 100000\nfile 7\n")
    assert free_memory._cgroup_left(tmp_path) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory._cgroup_left(tmp_path) is None
    assert free_memory._cgroup_left(tmp_path / "none") is None


def test_macos_vm_stat():
    text = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:                               10.\nPages active:                          9999.\n"
        "Pages inactive:                           20.\nPages speculative:                         3.\n"
        "Pages purgeable:                           4.\n"
    )
    assert free_memory.free_in_vm_stat(text) == 37 * 16384
    assert free_memory.free_in_vm_stat("") is None


def test_this_machine_answers_something_plausible():
    free = free_memory.free_memory()
    assert free is None or 2**20 < free < 2**50
