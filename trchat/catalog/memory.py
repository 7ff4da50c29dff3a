"""What a model will take before it is loaded: weights + KV cache + compute, told from the header."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from trchat.attention import choose_attention, score_bytes, weights_round_alike
from trchat.catalog.card import part_files
from trchat.catalog.gguf_header import Array, Header, read_header
from trchat.text.one_line import one_line
from trchat.text.units import byte_size

CACHE_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes that one number in the KV cache takes."""

CONTEXT_STEP = 256
"""llama.cpp rounds a context up to whole steps of this."""

BATCH = 512
"""Tokens that llama.cpp computes at once: it reserves logits for all of them."""

SMALLEST_USEFUL_CONTEXT = 512
_MOST_LAYERS = 4096
_BLOCK = re.compile(r"blk\.(\d{1,5})\.")
_FLOAT = 4


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """An estimate, in bytes."""

    weights: int
    kv_cache: int
    compute: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.compute


def estimate(
    header: Header, ctx: int, cache_type: str = "f16", flash_attn: str = "on", *, on_gpu: bool = False
) -> MemoryNeed:
    """Estimate what the model takes with a context of ``ctx`` tokens and a KV cache of ``cache_type``.

    Without flash attention it takes more (see trchat.attention).
    Sliding windows are ignored: trchat keeps whole caches (``swa_full``). Raises ModelError when a part of
    a split model is missing.
    """
    weights = sum(part.stat().st_size for part in part_files(header.path))
    tokens = -(-ctx // CONTEXT_STEP) * CONTEXT_STEP
    kv_cache = int(_kv_numbers_per_token(header) * tokens * CACHE_BYTES.get(cache_type, 2.0))
    compute = BATCH * (_vocabulary(header) + 2 * _integer(header, "embedding_length")) * _FLOAT
    file_type = header.integer("general.file_type")  # where it is missing, llama.cpp guesses
    row_scores = tokens * max(_integer(header, "attention.head_count"), 1)
    attention = choose_attention(
        flash_attn,
        cache_type,
        on_gpu=on_gpu,
        weights_alike=file_type is None or weights_round_alike(file_type),
        batch=BATCH,
        row_scores=row_scores,
    )
    if attention.flash == "off":
        compute += score_bytes(row_scores, BATCH)
    return MemoryNeed(weights, kv_cache, compute)


def weights_by_layer(header: Header) -> tuple[list[int], int] | None:
    """Bytes of each layer's weights, first to last, and of what else a GPU computes with: the output.

    None where the header does not say. Raises ModelError when a part of a split model is missing or damaged.
    """
    layers: dict[int, int] = {}
    others: dict[str, int] = {}
    for part in part_files(header.path):
        for tensor in (header if part == header.path else read_header(part)).tensors:
            if tensor.size is None:
                return None
            if block := _BLOCK.match(tensor.name):
                layers[int(block[1])] = layers.get(int(block[1]), 0) + tensor.size
            else:
                others[tensor.name] = tensor.size
    if "output.weight" in others:
        others.pop("token_embd.weight", None)  # stays with the processor; else it is the output too
    return ([layers[number] for number in sorted(layers)], sum(others.values())) if layers else None


def memory_warning(
    header: Header, ctx: int, cache_type: str, free: int | None, flash_attn: str = "on"
) -> str | None:
    """One line when the model will not fit into ``free`` bytes, with the flag that helps; else None.

    ``free`` None is unknown, and no reason to warn. Raises ModelError as ``estimate`` does.
    """
    if free is None:
        return None
    need = estimate(header, ctx, cache_type, flash_attn)
    if need.total <= free:
        return None
    return (
        f"{one_line(Path(header.path).name)} needs about {byte_size(need.total)} "
        f"(weights {byte_size(need.weights)}, KV cache {byte_size(need.kv_cache)}, "
        f"compute {byte_size(need.compute)}), {byte_size(free)} are free: "
        f"{_way_out(header, ctx, cache_type, free, flash_attn)}"
    )


def _way_out(header: Header, ctx: int, cache_type: str, free: int, flash_attn: str) -> str:
    if CACHE_BYTES.get(cache_type, 2.0) > CACHE_BYTES["q8_0"] and estimate(header, ctx, "q8_0").total <= free:
        return "--cache-type q8_0 makes it fit"
    smaller = _largest_fitting(header, ctx, cache_type, free, flash_attn)
    if smaller >= SMALLEST_USEFUL_CONTEXT:
        return f"-c {smaller} makes it fit"
    return "take a smaller model or quantisation (-m)"


def _largest_fitting(header: Header, ctx: int, cache_type: str, free: int, flash_attn: str) -> int:
    """The largest context below ``ctx`` that fits, in whole steps; 0 when none does."""
    fits = bisect_right(
        range((ctx - 1) // CONTEXT_STEP + 1),
        free,
        key=lambda steps: estimate(header, steps * CONTEXT_STEP, cache_type, flash_attn).total,
    )
    return max(fits - 1, 0) * CONTEXT_STEP


def _kv_numbers_per_token(header: Header) -> int:
    """Keys and values of all layers for one token. Hybrids name 0 heads for layers without a cache."""
    layers = min(_integer(header, "block_count"), _MOST_LAYERS)
    heads = max(_integer(header, "attention.head_count"), 1)
    head_size = _integer(header, "embedding_length") // heads
    numbers = (_integer(header, "attention.key_length") or head_size) + (
        _integer(header, "attention.value_length") or head_size
    )
    kv_heads = header.metadata.get(_key(header, "attention.head_count_kv"))
    if isinstance(kv_heads, Array) and kv_heads.values is not None:
        return numbers * sum(n for n in kv_heads.values[:layers] if isinstance(n, int) and n > 0)
    per_layer = kv_heads if isinstance(kv_heads, int) and kv_heads > 0 else heads
    return numbers * layers * per_layer


def _vocabulary(header: Header) -> int:
    tokens = header.array("tokenizer.ggml.tokens")
    return tokens.length if tokens else _integer(header, "vocab_size")


def _key(header: Header, name: str) -> str:
    return f"{header.text('general.architecture')}.{name}"


def _integer(header: Header, name: str) -> int:
    """A number that is no less than 0; a per-layer list counts by its largest."""
    value = header.metadata.get(_key(header, name))
    if isinstance(value, Array):
        value = max((n for n in value.values or () if isinstance(n, int)), default=0)
    return max(value, 0) if isinstance(value, int) else 0
