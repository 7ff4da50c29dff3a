"""Models that keep a state of the text, alone or beside attention: their headers and random tensors.

Of any size: tests make tiny ones (see tests/tiny_gguf.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gguf import GGUFWriter

HYBRIDS = ("qwen35", "lfm2", "nemotron_h", "granitehybrid", "mamba2")


@dataclass(frozen=True)
class Sizes:
    """``attention`` says which layers attend; all others are recurrent, or feed forward (Nemotron)."""

    embd: int = 64
    ff: int = 128
    layers: int = 3
    attention: tuple[int, ...] = (1,)
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 16
    state: int = 16
    groups: int = 2
    state_heads: int = 8
    conv: int = 4
    n_ctx: int = 2048

    @property
    def inner(self) -> int:
        """Mamba 2 is as wide as this; Granite insists on twice the embedding."""
        return 2 * self.embd


class Hybrid:
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
        seed: int = 0,
    ) -> None:
        self.writer, self.arch, self.sizes = writer, arch, sizes
        self.matrix, self.vector = matrix, vector
        self.random = np.random.default_rng(seed)

    def header(self) -> None:
        """All numbers but those that every model has."""
        writer, sizes = self.writer, self.sizes
        attends = [layer in sizes.attention for layer in range(sizes.layers)]
        writer.add_layer_norm_rms_eps(1e-5)
        if self.arch == "nemotron_h":
            writer.add_layer_norm_eps(1e-5)
            feeds = [self.feeds(layer) for layer in range(sizes.layers)]
            writer.add_array("nemotron_h.feed_forward_length", [sizes.ff * feed for feed in feeds])
        else:
            writer.add_feed_forward_length(sizes.ff)
        if self.arch != "mamba2":
            writer.add_head_count(sizes.heads)
            writer.add_key_length(sizes.head_dim)
            writer.add_value_length(sizes.head_dim)
            writer.add_rope_dimension_count(sizes.head_dim)
            if self.arch == "qwen35":
                writer.add_head_count_kv(sizes.kv_heads)
                writer.add_array("qwen35.attention.recurrent_layers", [not attend for attend in attends])
                quarter = sizes.head_dim // 8
                writer.add_array("qwen35.rope.dimension_sections", [2 * quarter, quarter, quarter, 0])
            else:
                writer.add_array(
                    f"{self.arch}.attention.head_count_kv", [sizes.kv_heads * attend for attend in attends]
                )
        if self.arch == "lfm2":
            writer.add_uint32("lfm2.shortconv.l_cache", 3)
        else:
            writer.add_ssm_conv_kernel(sizes.conv)
            writer.add_ssm_inner_size(self.state_width)
            writer.add_ssm_state_size(sizes.state)
            writer.add_ssm_time_step_rank(sizes.state_heads)
            writer.add_uint32(f"{self.arch}.ssm.group_count", sizes.groups)

    @property
    def state_width(self) -> int:
        """The recurrent layers' inner size."""
        return self.sizes.state * self.sizes.state_heads if self.arch == "qwen35" else self.sizes.inner

    def feeds(self, layer: int) -> bool:
        """Whether ``layer`` has a feed-forward block: Nemotron's layers are one thing each."""
        if self.arch == "nemotron_h":
            return layer % 3 == 2 and layer not in self.sizes.attention
        return self.arch != "mamba2"

    def tensors(self, n_vocab: int) -> None:
        """All of them, but for the embedding."""
        sizes, arch = self.sizes, self.arch
        self.vector("token_embd_norm.weight" if arch == "lfm2" else "output_norm.weight", sizes.embd)
        self.matrix("output.weight", n_vocab, sizes.embd)
        for layer in range(sizes.layers):
            block = f"blk.{layer}."
            self.vector(block + "attn_norm.weight", sizes.embd)
            if layer in sizes.attention and arch != "mamba2":
                self._attention(block)
            elif arch == "qwen35":
                self._delta_net(block)
            elif arch == "lfm2":
                self._convolution(block)
            elif arch != "nemotron_h" or not self.feeds(layer):
                self._mamba2(block)
            if self.feeds(layer):
                self._feed_forward(block)

    def _small(self, name: str, *shape: int) -> None:
        self.writer.add_tensor(name, (self.random.standard_normal(shape) * 0.3).astype(np.float32))

    def _decay(self, name: str, *shape: int) -> None:
        self.writer.add_tensor(name, -np.abs(self.random.standard_normal(shape)).astype(np.float32))

    def _attention(self, block: str) -> None:
        sizes, doubled = self.sizes, 1 + (self.arch == "qwen35")  # Qwen's queries come with a gate
        self.matrix(block + "attn_q.weight", doubled * sizes.heads * sizes.head_dim, sizes.embd)
        self.matrix(block + "attn_k.weight", sizes.kv_heads * sizes.head_dim, sizes.embd)
        self.matrix(block + "attn_v.weight", sizes.kv_heads * sizes.head_dim, sizes.embd)
        self.matrix(block + "attn_output.weight", sizes.embd, sizes.heads * sizes.head_dim)
        if self.arch in ("qwen35", "lfm2"):
            self.vector(block + "attn_q_norm.weight", sizes.head_dim)
            self.vector(block + "attn_k_norm.weight", sizes.head_dim)

    def _delta_net(self, block: str) -> None:
        sizes = self.sizes
        keys, values = sizes.groups * sizes.state, self.state_width
        self.matrix(block + "attn_qkv.weight", 2 * keys + values, sizes.embd)
        self.matrix(block + "attn_gate.weight", values, sizes.embd)
        self._small(block + "ssm_conv1d.weight", 2 * keys + values, sizes.conv)
        self._small(block + "ssm_dt.bias", sizes.state_heads)
        self._decay(block + "ssm_a", sizes.state_heads)
        self.matrix(block + "ssm_beta.weight", sizes.state_heads, sizes.embd)
        self.matrix(block + "ssm_alpha.weight", sizes.state_heads, sizes.embd)
        self.vector(block + "ssm_norm.weight", sizes.state)
        self.matrix(block + "ssm_out.weight", sizes.embd, values)

    def _convolution(self, block: str) -> None:
        embd = self.sizes.embd
        self._small(block + "shortconv.conv.weight", embd, 3)
        self.matrix(block + "shortconv.in_proj.weight", 3 * embd, embd)
        self.matrix(block + "shortconv.out_proj.weight", embd, embd)

    def _mamba2(self, block: str) -> None:
        sizes, inner = self.sizes, self.sizes.inner
        wide = inner + 2 * sizes.groups * sizes.state
        self.matrix(block + "ssm_in.weight", inner + wide + sizes.state_heads, sizes.embd)
        self._small(block + "ssm_conv1d.weight", wide, sizes.conv)
        self._small(block + "ssm_conv1d.bias", wide)
        self._small(block + "ssm_dt.bias", sizes.state_heads)
        self._decay(block + "ssm_a", sizes.state_heads, 1)
        self.writer.add_tensor(block + "ssm_d", np.ones((sizes.state_heads, 1), np.float32))
        norm = np.ones((sizes.groups, inner // sizes.groups), np.float32)
        self.writer.add_tensor(block + "ssm_norm.weight", norm)
        self.matrix(block + "ssm_out.weight", sizes.embd, inner)

    def _feed_forward(self, block: str) -> None:
        sizes = self.sizes
        if self.arch == "qwen35":
            self.vector(block + "post_attention_norm.weight", sizes.embd)
        elif self.arch != "nemotron_h":
            self.vector(block + "ffn_norm.weight", sizes.embd)
        if self.arch != "nemotron_h":
            self.matrix(block + "ffn_gate.weight", sizes.ff, sizes.embd)
        self.matrix(block + "ffn_up.weight", sizes.ff, sizes.embd)
        self.matrix(block + "ffn_down.weight", sizes.embd, sizes.ff)
