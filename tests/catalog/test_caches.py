"""What a model is told to keep is what llama.cpp allocates for it."""

import re

import pytest
from gguf import GGMLQuantizationType

from tests.tiny_attention import ATTENTIVE
from tests.tiny_gguf import make
from tests.tiny_hybrids import HYBRIDS
from trchat.catalog.caches import Caches, LayerCache
from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import estimate
from trchat.llama.context import Context, ContextOptions
from trchat.llama.log import route_log
from trchat.llama.model import Model

CTX = 2048
BUFFER = re.compile(r"(?:KV|RS) buffer size = +([\d.]+) MiB")


def allocated(file, tmp_path):
    """Bytes, as llama.cpp's log tells them, rounded to a hundredth of a MiB."""
    log = tmp_path / "log"
    with Model(file, 0) as model:
        route_log(log)
        try:
            Context(model, ContextOptions(n_ctx=CTX, threads=1)).close()
        finally:
            route_log(None)
    return sum(float(size) for size in BUFFER.findall(log.read_text())) * 2**20


@pytest.mark.parametrize("weights", ["Q8_0", "F16"])
@pytest.mark.parametrize("arch", ["llama", "gemma2", "mamba", *ATTENTIVE, *HYBRIDS])
def test_caches_are_estimated_as_they_are_allocated(tmp_path, arch, weights):
    file = make(tmp_path / "tiny.gguf", arch, quantisation=GGMLQuantizationType[weights])
    kept = allocated(file, tmp_path)
    assert kept
    told = estimate(read_header(file), CTX, flash_attn="auto").kv_cache
    assert told == pytest.approx(kept, rel=0.05, abs=0.006 * 2**20)


@pytest.mark.parametrize(
    ("weights", "state", "rolls_back", "snapshots"),
    [
        (3_000_000_000, 50_000_000, True, 6),  # 300 MB for snapshots
        (700_000_000, 160_000, True, 16),  # small states: no more than ever pays
        (400_000_000, 50_000_000, True, 1),  # one takes no more room than a copy would
        (3_000_000_000, 50_000_000, False, 0),
        (3_000_000_000, 0, True, 0),
    ],
)
def test_snapshots_take_a_tenth_of_the_weights_at_most(weights, state, rolls_back, snapshots):
    caches = Caches((LayerCache(keys=64, state=state // 4),), rolls_back)
    assert caches.snapshots(weights) == snapshots
    if state:
        kept = caches.sizes(256, 2.0, snapshots=snapshots)[0] - 256 * 64 * 2
        assert kept == state * (1 + max(snapshots, 1))
