"""What a model will take before it is loaded: weights + KV cache + compute, told from the header."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trchat.attention import Rounding, choose_attention, rounding_of, score_bytes
from trchat.catalog.caches import Caches, caches_of
from trchat.catalog.card import part_files
from trchat.catalog.gguf_header import Array, Header, read_header
from trchat.text.one_line import one_line
from trchat.text.units import byte_size

CACHE_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes that one number in the KV cache takes."""

CONTEXT_STEP = 256
"""llama.cpp rounds a context up to whole steps of this."""

BATCH = 512
"""Tokens that llama.cpp computes at once."""

SMALLEST_USEFUL_CONTEXT = 512
_BLOCK = re.compile(r"blk\.(\d{1,5})\.")
_FLOAT = 4
_ROWS, _ROWS_KEPT = 128, 64  # of logits: computed in a batch, and held for who asks (see ContextOptions)
_SPARE = 512  # cells beyond the context, where hidden ones keep the order (see Context)


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """An estimate, in bytes. ``kv_cache`` counts recurrent states too; ``layers`` says it layer by layer."""

    weights: int
    kv_cache: int
    compute: int
    layers: tuple[int, ...] = field(default=(), compare=False)

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.compute


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a model's memory follows from: read once, asked for any context.

    Attributes:
        weights: bytes.
        caches: what its layers keep.
        rounding: whether its weights' kernels round alike (see trchat.attention).
        trees: whether it verifies trees, and so needs room for hidden cells.
        latent: whether its attention keeps keys alone.
        vocabulary, embedding, heads: sizes; no heads where nothing attends.
        widest: numbers that a token has in the widest part of a layer.
        windows: whether some layers see the last tokens only, and so need a mask of their own.
    """

    weights: int
    caches: Caches
    rounding: Rounding
    trees: bool
    latent: bool
    vocabulary: int
    embedding: int
    widest: int
    heads: int
    windows: bool

    def need(
        self,
        ctx: int,
        cache_type: str = "f16",
        flash_attn: str = "on",
        *,
        on_gpu: bool = False,
    ) -> MemoryNeed:
        """Estimate for a context of ``ctx`` tokens (see ``estimate``)."""
        tokens = -(-ctx // CONTEXT_STEP) * CONTEXT_STEP
        row_scores = tokens * self.heads
        attention = choose_attention(
            flash_attn,
            cache_type,
            on_gpu=on_gpu,
            rounding=self.rounding,
            latent=self.latent,
            batch=BATCH,
            row_scores=row_scores,
        )
        cells = tokens + (_SPARE if self.trees and attention.keeps_order else 0)
        flash = attention.flash != "off"
        snapshots = self.caches.snapshots(self.weights)
        layers = self.caches.sizes(cells, CACHE_BYTES.get(cache_type, 2.0), snapshots=snapshots, flash=flash)
        masks = cells * attention.batch * (1 + self.windows) if self.heads else 0
        # The largest of what is in use at once, as measured: a batch's scores and their mask, what goes
        # through the widest layer and the mask, and the logits.
        row = attention.batch * _FLOAT
        scores = (
            0 if flash else score_bytes(row_scores, BATCH) + masks * _FLOAT + row * 16 * self.embedding // 3
        )
        through = masks * (2 if flash else _FLOAT) + row * (self.widest + 4 * self.embedding)
        logits = _ROWS * self.vocabulary * _FLOAT + row * 5 * self.embedding // 4
        compute = max(scores, through, logits) + _ROWS_KEPT * self.vocabulary * _FLOAT
        return MemoryNeed(self.weights, sum(layers), compute, tuple(layers))


def footprint(header: Header) -> Footprint:
    """Read what the model's memory follows from; other parts of a split model are read here.

    Raises ModelError when a part is missing or damaged.
    """
    parts = part_files(header.path)
    tensors = [
        tensor for part in parts for tensor in (header if part == header.path else read_header(part)).tensors
    ]
    caches = caches_of(header, tensors)
    return Footprint(
        weights=sum(part.stat().st_size for part in parts),
        caches=caches,
        rounding=rounding_of((tensor.name, tensor.shape, tensor.type_number) for tensor in tensors),
        trees=not caches.keeps_state,
        latent=_integer(header, "attention.key_length_mla") > 0,
        vocabulary=_vocabulary(header),
        embedding=_integer(header, "embedding_length"),
        widest=_widest(header, caches),
        heads=_integer(header, "attention.head_count") if any(each.keys for each in caches.layers) else 0,
        windows=_integer(header, "attention.sliding_window") > 0,
    )


def _widest(header: Header, caches: Caches) -> int:
    """Numbers of a token in the widest part of a layer: feed-forward, experts, state or latent attention."""
    experts, embedding = _integer(header, "expert_used_count"), _integer(header, "embedding_length")
    feed_forward = max(
        3 * _integer(header, "feed_forward_length"),
        experts * (3 * _integer(header, "expert_feed_forward_length") + embedding),
    )
    inner, groups = _integer(header, "ssm.inner_size"), _integer(header, "ssm.group_count")
    state = 4 * (inner + groups * _integer(header, "ssm.state_size")) if caches.keeps_state else 0
    row = 2 * _integer(header, "attention.key_length") + _integer(header, "attention.value_length")
    if latent := _integer(header, "attention.key_length_mla"):
        latent = (row + 3 * latent) * _integer(header, "attention.head_count")
    return max(feed_forward, state, latent)


def estimate(
    header: Header,
    ctx: int,
    cache_type: str = "f16",
    flash_attn: str = "on",
    *,
    on_gpu: bool = False,
) -> MemoryNeed:
    """Estimate what the model takes with a context of ``ctx`` tokens and a KV cache of ``cache_type``.

    Without flash attention it takes more (see trchat.attention). Sliding windows are ignored: trchat keeps
    whole caches (``swa_full``). Recurrent states are counted with their snapshots (see Caches). Raises
    ModelError when a part of a split model is missing.
    """
    return footprint(header).need(ctx, cache_type, flash_attn, on_gpu=on_gpu)


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
    model = footprint(header)

    def need(tokens: int, kind: str = cache_type) -> MemoryNeed:
        return model.need(tokens, kind, flash_attn)

    wanted = need(ctx)
    if wanted.total <= free:
        return None
    return (
        f"{one_line(Path(header.path).name)} needs about {byte_size(wanted.total)} "
        f"(weights {byte_size(wanted.weights)}, KV cache {byte_size(wanted.kv_cache)}, "
        f"compute {byte_size(wanted.compute)}), {byte_size(free)} are free: "
        f"{_way_out(need, ctx, cache_type, free)}"
    )


def _way_out(need: Callable[..., MemoryNeed], ctx: int, cache_type: str, free: int) -> str:
    if CACHE_BYTES.get(cache_type, 2.0) > CACHE_BYTES["q8_0"] and need(ctx, "q8_0").total <= free:
        return "--cache-type q8_0 makes it fit"
    smaller = _largest_fitting(need, ctx, free)
    if smaller >= SMALLEST_USEFUL_CONTEXT:
        return f"-c {smaller} makes it fit"
    return "take a smaller model or quantisation (-m)"


def _largest_fitting(need: Callable[..., MemoryNeed], ctx: int, free: int) -> int:
    """The largest context below ``ctx`` that fits, in whole steps; 0 when none does."""
    fits = bisect_right(
        range((ctx - 1) // CONTEXT_STEP + 1), free, key=lambda steps: need(steps * CONTEXT_STEP).total
    )
    return max(fits - 1, 0) * CONTEXT_STEP


def _vocabulary(header: Header) -> int:
    tokens = header.array("tokenizer.ggml.tokens")
    return tokens.length if tokens else _integer(header, "vocab_size")


def _key(header: Header, name: str) -> str:
    return f"{header.text('general.architecture')}.{name}"


def _integer(header: Header, name: str) -> int:
    """A number of at least 0; a per-layer list counts by its largest."""
    value = header.metadata.get(_key(header, name))
    if isinstance(value, Array):
        value = max((n for n in value.values or () if isinstance(n, int)), default=0)
    return max(value, 0) if isinstance(value, int) else 0
