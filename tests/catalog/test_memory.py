"""What a model will take, and the way out that is offered when that is too much."""

import pytest

from tests.gguf_files import write_gguf
from trchat.catalog import free_memory
from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import MemoryNeed, estimate, memory_warning


@pytest.fixture
def header(tmp_path):
    return read_header(write_gguf(tmp_path / "tiny.gguf"))


def test_the_estimate_is_weights_and_cache_and_compute(header):
    # 2 layers x 2 KV heads x (8 + 8) numbers a token; compute: 512 rows of 8 logits and twice 32 numbers.
    assert estimate(header, 1024) == MemoryNeed(header.file_size, 1024 * 64 * 2, 512 * (8 + 64) * 4)
    assert estimate(header, 1024, "q8_0").kv_cache == 1024 * 64 * 34 // 32
    assert estimate(header, 1000) == estimate(header, 1024), "llama.cpp rounds contexts up"


def test_scores_count_where_attention_writes_them_down(tmp_path, header):
    scores = 512 * 1024 * 4 * 4  # of 4 heads
    assert estimate(header, 1024, flash_attn="off").compute - estimate(header, 1024).compute == scores
    assert estimate(header, 1024, flash_attn="auto") == estimate(header, 1024, flash_attn="off"), "it is F16"
    assert estimate(header, 1024, "q8_0", "off") == estimate(header, 1024, "q8_0"), "which needs it"
    assert estimate(header, 10**7, flash_attn="auto") == estimate(header, 10**7), "too many scores"
    alike = read_header(write_gguf(tmp_path / "q8.gguf", add=lambda writer: writer.add_file_type(7)))
    assert estimate(alike, 1024, flash_attn="auto") == estimate(alike, 1024)


def test_per_layer_heads_and_named_head_sizes_count(tmp_path):
    def add(writer):
        writer.kv_data[0].pop("llama.attention.head_count_kv")
        writer.add_array("llama.attention.head_count_kv", [0, 3])
        writer.add_key_length(128)
        writer.add_value_length(64)

    header = read_header(write_gguf(tmp_path / "hybrid.gguf", add=add))
    assert estimate(header, 256).kv_cache == 256 * 3 * (128 + 64) * 2


def test_no_warning_when_it_fits_or_nobody_knows(header):
    assert memory_warning(header, 4096, "f16", estimate(header, 4096).total) is None
    assert memory_warning(header, 4096, "f16", None) is None


def test_the_warning_names_the_flag_that_makes_it_fit(header):
    free = estimate(header, 1_000_000, "q8_0").total
    line = memory_warning(header, 1_000_000, "f16", free)
    assert line == (
        "tiny.gguf needs about 128 MB (weights 3.1 kB, KV cache 128 MB, compute 147 kB), 68 MB are free: "
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
