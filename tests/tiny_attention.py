"""Models that attend in other ways than Llama: with experts, sliding windows, latent keys.

Their headers and random tensors, for tests/tiny_gguf.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, quants

ATTENTIVE = ("qwen3moe", "gemma3", "gemma4", "gpt-oss", "deepseek2")
EXPERTS, USED_EXPERTS = 8, 2
LATENT, ROTATED = 32, 8
"""DeepSeek's compressed row a token, and what of a key knows its position."""
PER_LAYER = 32
"""Gemma 4 has an embedding of its own for every layer, of this size."""


@dataclass(frozen=True)
class Sizes:
    """Of layers, the first of which sees a window only, where there are any."""

    embd: int
    ff: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    window: int


class Attentive:
    """Writes one with ``writer``.

    ``matrix(name, rows, columns)`` adds a quantised tensor, ``vector(name, size, value)`` a constant one.
    """

    def __init__(
        self,
        writer: GGUFWriter,
        arch: str,
        sizes: Sizes,
        matrix: Callable[[str, int, int], None],
        vector: Callable[..., None],
        quantisation: GGMLQuantizationType,
        seed: int = 0,
    ) -> None:
        self.writer, self.arch, self.sizes = writer, arch, sizes
        self.matrix, self.vector, self.quantisation = matrix, vector, quantisation
        self.random = np.random.default_rng(seed + 1)

    def header(self) -> None:
        """All numbers but those that every model has."""
        writer, sizes = self.writer, self.sizes
        writer.add_head_count(sizes.heads)
        writer.add_layer_norm_rms_eps(1e-5)
        if self.arch == "deepseek2":
            self._latent_header()
        else:
            writer.add_head_count_kv(sizes.kv_heads)
            writer.add_key_length(self._head_dim(sizes.layers - 1))
            writer.add_value_length(self._head_dim(sizes.layers - 1))
            writer.add_rope_dimension_count(self._head_dim(sizes.layers - 1))
        if self.arch in ("gemma3", "gemma4", "gpt-oss"):
            writer.add_sliding_window(sizes.window)
        if self.arch == "gemma4":
            writer.add_array("gemma4.attention.sliding_window_pattern", self._windows())
            writer.add_uint32("gemma4.attention.key_length_swa", sizes.head_dim)
            writer.add_uint32("gemma4.attention.value_length_swa", sizes.head_dim)
            writer.add_uint32("gemma4.rope.dimension_count_swa", sizes.head_dim)
            writer.add_uint32("gemma4.attention.shared_kv_layers", 0)
            writer.add_uint32("gemma4.embedding_length_per_layer_input", PER_LAYER)
        elif self.arch == "gemma3":
            writer.add_uint32("gemma3.attention.sliding_window_pattern", sizes.layers)
        if self.arch in ("qwen3moe", "gpt-oss", "deepseek2"):
            writer.add_expert_count(EXPERTS)
            writer.add_expert_used_count(USED_EXPERTS)
            writer.add_expert_feed_forward_length(sizes.ff)

    def _latent_header(self) -> None:
        writer, sizes = self.writer, self.sizes
        writer.add_head_count_kv(1)
        writer.add_q_lora_rank(sizes.embd)
        writer.add_kv_lora_rank(LATENT)
        writer.add_key_length(LATENT + ROTATED)
        writer.add_value_length(LATENT)
        writer.add_key_length_mla(LATENT + ROTATED)
        writer.add_value_length_mla(LATENT)
        writer.add_rope_dimension_count(ROTATED)
        writer.add_leading_dense_block_count(1)
        writer.add_expert_shared_count(1)
        writer.add_expert_weights_scale(1.0)

    def _windows(self) -> list[bool]:
        return [layer < self.sizes.layers - 1 for layer in range(self.sizes.layers)]

    def _head_dim(self, layer: int) -> int:
        """Gemma 4's layers without a window have wider heads."""
        wider = self.arch == "gemma4" and not self._windows()[layer]
        return self.sizes.head_dim * (2 if wider else 1)

    def tensors(self, n_vocab: int) -> None:
        """All of them, but for the embedding and the last norm."""
        sizes, arch = self.sizes, self.arch
        self.matrix("output.weight", n_vocab, sizes.embd)
        if arch == "gemma4":
            self.matrix("per_layer_token_embd.weight", n_vocab, PER_LAYER * sizes.layers)
            self._small("per_layer_model_proj.weight", PER_LAYER * sizes.layers, sizes.embd)
            self.vector("per_layer_proj_norm.weight", PER_LAYER)
            self.vector("rope_freqs.weight", self._head_dim(sizes.layers - 1) // 2)
        for layer in range(sizes.layers):
            block = f"blk.{layer}."
            self.vector(block + "attn_norm.weight", sizes.embd)
            if arch == "deepseek2":
                self._latent_attention(block)
            else:
                self._attention(block, self._head_dim(layer))
            if arch != "gpt-oss":
                self.vector(block + "ffn_norm.weight", sizes.embd)
            if arch in ("gemma3", "gemma4", "gpt-oss"):
                self.vector(block + "post_attention_norm.weight", sizes.embd)
            if arch in ("gemma3", "gemma4"):
                self.vector(block + "post_ffw_norm.weight", sizes.embd)
            if arch == "gemma4":
                self.matrix(block + "inp_gate.weight", PER_LAYER, sizes.embd)
                self.matrix(block + "proj.weight", sizes.embd, PER_LAYER)
                self.vector(block + "post_norm.weight", sizes.embd)
                self.vector(block + "layer_output_scale.weight", 1)
            if arch in ("qwen3moe", "gpt-oss") or (arch == "deepseek2" and layer):
                self._experts(block)
            else:
                self._feed_forward(block, "")

    def _small(self, name: str, *shape: int) -> None:
        data = self.random.standard_normal(shape) * 2 / shape[-1] ** 0.5
        self.writer.add_tensor(name, data.astype(np.float32))

    def _stack(self, name: str, *shape: int) -> None:
        data = (self.random.standard_normal(shape) * 2 / shape[-1] ** 0.5).astype(np.float32)
        self.writer.add_tensor(name, quants.quantize(data, self.quantisation), raw_dtype=self.quantisation)

    def _attention(self, block: str, head_dim: int) -> None:
        sizes = self.sizes
        queries, keys = sizes.heads * head_dim, sizes.kv_heads * head_dim
        self.matrix(block + "attn_q.weight", queries, sizes.embd)
        self.matrix(block + "attn_k.weight", keys, sizes.embd)
        self.matrix(block + "attn_v.weight", keys, sizes.embd)
        self.matrix(block + "attn_output.weight", sizes.embd, queries)
        if self.arch == "gpt-oss":
            for name, size in (("q", queries), ("k", keys), ("v", keys), ("output", sizes.embd)):
                self.vector(f"{block}attn_{name}.bias", size, 0.1)
            self.vector(block + "attn_sinks.weight", sizes.heads)
        else:
            self.vector(block + "attn_q_norm.weight", head_dim)
            self.vector(block + "attn_k_norm.weight", head_dim)

    def _latent_attention(self, block: str) -> None:
        sizes, head = self.sizes, LATENT + ROTATED
        self.matrix(block + "attn_q_a.weight", sizes.embd, sizes.embd)
        self.vector(block + "attn_q_a_norm.weight", sizes.embd)
        self.matrix(block + "attn_q_b.weight", sizes.heads * head, sizes.embd)
        self.matrix(block + "attn_kv_a_mqa.weight", LATENT + ROTATED, sizes.embd)
        self.vector(block + "attn_kv_a_norm.weight", LATENT)
        self._stack(block + "attn_k_b.weight", sizes.heads, LATENT, LATENT)
        self._stack(block + "attn_v_b.weight", sizes.heads, LATENT, LATENT)
        self.matrix(block + "attn_output.weight", sizes.embd, sizes.heads * LATENT)

    def _feed_forward(self, block: str, kind: str) -> None:
        sizes = self.sizes
        self.matrix(f"{block}ffn_gate{kind}.weight", sizes.ff, sizes.embd)
        self.matrix(f"{block}ffn_up{kind}.weight", sizes.ff, sizes.embd)
        self.matrix(f"{block}ffn_down{kind}.weight", sizes.embd, sizes.ff)

    def _experts(self, block: str) -> None:
        sizes = self.sizes
        self._small(block + "ffn_gate_inp.weight", EXPERTS, sizes.embd)
        for name, rows, columns in (
            ("gate", sizes.ff, sizes.embd),
            ("up", sizes.ff, sizes.embd),
            ("down", sizes.embd, sizes.ff),
        ):
            self._stack(f"{block}ffn_{name}_exps.weight", EXPERTS, rows, columns)
            if self.arch == "gpt-oss":
                bias = np.full((EXPERTS, rows), 0.1, np.float32)
                self.writer.add_tensor(f"{block}ffn_{name}_exps.bias", bias)
        if self.arch == "gpt-oss":
            self.vector(block + "ffn_gate_inp.bias", EXPERTS, 0.1)
        if self.arch == "deepseek2":
            self._feed_forward(block, "_shexp")
