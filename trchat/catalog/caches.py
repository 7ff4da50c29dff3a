"""What a model keeps while it reads: keys and values of every token, recurrent states of every sequence.

llama.cpp allocates all of it when a context is made, layer by layer. Which layers cache what follows from
the header's numbers, and where these leave it open, from the layer's tensors: a hybrid's recurrent layers
have a state and no keys, compressed (latent) attention has keys and no values, sparse attention has keys for
its index as well.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from trchat.catalog.gguf_header import Array, Header, Tensor

MOST_LAYERS = 4096
ROLL_BACK = frozenset(
    (
        "bailingmoe3",
        "deepseek4",
        "glm5-next",
        "kimi-k3",
        "lfm2",
        "lfm2moe",
        "nemotron_h",
        "nemotron_h_moe",
        "qwen35",
        "qwen35moe",
        "qwen4exp",
    )
)
"""Architectures of which llama.cpp keeps snapshots, so that the last tokens can be taken back."""
_BLOCK_TENSOR = re.compile(r"blk\.(\d{1,4})\.(.+)")
_STATE_TENSORS = re.compile(r"ssm_|shortconv\.|time_mix_")
_ATTENTION_OUTPUT = "attn_output.weight"
_INDEX_TENSORS = re.compile(r"indexer[._]")
_RWKV_TOKEN_SHIFTS = 2  # what llama.cpp takes where the file does not say
_CONVOLUTION = 4  # likewise, of Kimi's delta attention
_GEMMA3N_OWN_KEYS = 20  # its later layers use the keys of earlier ones; llama.cpp has the number built in
_OVERLAPPING = 4  # tokens that DeepSeek 4's finer compression makes one of
_ATTEND_BESIDE_STATE = {"falcon-h1"}
_MIN_CELLS = 256
_STATE_NUMBER = 4  # bytes: states are kept in F32
_MOST_SNAPSHOTS = 16  # drafts that are a longer chain are rarely right to the end
_SNAPSHOTS_SHARE = 0.1
"""Of the weights' bytes, for the snapshots of a state: a step reads the weights and writes the snapshots, so
that they take a tenth of its traffic, and of the memory, at most."""


@dataclass(frozen=True, slots=True)
class LayerCache:
    """What one layer keeps, counted in numbers.

    Attributes:
        keys, values: per token.
        state: per sequence and snapshot; always F32.
        compressed: of attention that also keeps one entry for several tokens: (tokens per entry, numbers).
    """

    keys: int = 0
    values: int = 0
    state: int = 0
    compressed: tuple[tuple[int, int], ...] = ()

    def size(self, tokens: int, number: float, states: int, padded_values: int = 0) -> int:
        """Bytes for ``tokens`` and ``states``, where one number of a key or value takes ``number`` bytes.

        ``padded_values``, if more, is what values are padded to.
        """
        values = max(self.values, padded_values) if self.values else 0
        numbers = (self.keys + values) * tokens
        for ratio, width in self.compressed:
            numbers += width * max(-(-tokens // ratio // _MIN_CELLS) * _MIN_CELLS, _MIN_CELLS)
        return int(numbers * number) + self.state * states * _STATE_NUMBER


@dataclass(frozen=True, slots=True)
class Caches:
    """What all layers of a model keep, first to last.

    ``rolls_back`` says that llama.cpp can keep snapshots of its states; others are copied to a second one.
    """

    layers: tuple[LayerCache, ...] = ()
    rolls_back: bool = False

    @property
    def keeps_state(self) -> bool:
        """Whether there is any recurrent state."""
        return any(layer.state for layer in self.layers)

    def snapshots(self, weights: int) -> int:
        """How many states to keep beside the last one, so that as many tokens can be taken back.

        They go by the model's ``weights``, in bytes. 0 where llama.cpp cannot do that.
        """
        state = sum(layer.state for layer in self.layers) * _STATE_NUMBER
        if not state or not self.rolls_back:
            return 0
        return max(1, min(int(weights * _SNAPSHOTS_SHARE) // state, _MOST_SNAPSHOTS))

    def sizes(self, tokens: int, number: float, *, snapshots: int = 0, flash: bool = True) -> list[int]:
        """Bytes that each layer's cache takes (see LayerCache.size), ``snapshots`` of states beside the last.

        Where there are none, there is room for a copy of the state. Without flash attention llama.cpp lays
        values out across tokens, and pads them to the widest layer.
        """
        widest = 0 if flash else max((layer.values for layer in self.layers), default=0)
        states = 1 + max(snapshots, 1)
        return [layer.size(tokens, number, states, widest) for layer in self.layers]


def caches_of(header: Header, tensors: Iterable[Tensor]) -> Caches:
    """Tell what the model with this ``header`` keeps; ``tensors`` are those of all its files."""
    names: dict[int, dict[str, Tensor]] = {}
    for tensor in tensors:
        if match := _BLOCK_TENSOR.fullmatch(tensor.name):
            names.setdefault(int(match[1]), {})[match[2]] = tensor
    numbers = _Numbers(header)
    hybrid = any(numbers.state(each) for each in names.values())
    layers = [_layer(numbers, index, names.get(index, {}), hybrid) for index in range(numbers.layers)]
    loops = max(numbers.integer("num_loops"), 1)  # Nanbeige runs through its layers again
    return Caches(tuple(layers * min(loops, MOST_LAYERS)), numbers.arch in ROLL_BACK)


def _layer(numbers: "_Numbers", index: int, tensors: dict[str, Tensor], hybrid: bool) -> LayerCache:
    state = numbers.state(tensors)
    attends = _ATTENTION_OUTPUT in tensors if hybrid else True
    if not attends or (state and numbers.arch not in _ATTEND_BESIDE_STATE) or not numbers.has_own_keys(index):
        return LayerCache(state=state)
    if numbers.arch == "deepseek4":
        return numbers.deepseek4(index)
    heads = numbers.kv_heads(index)
    keys, values = heads * numbers.key_length, heads * numbers.value_length
    if numbers.latent:
        values = 0
    elif heads and (key := tensors.get("attn_k.weight")):
        # The tensors know of layers that are wider than others.
        value = tensors.get("attn_v.weight", key)  # Gemma 4 has layers whose values are their keys
        keys, values = key.shape[-1], value.shape[-1]
    if any(_INDEX_TENSORS.match(name) for name in tensors) and index >= numbers.first_index:
        keys += numbers.index_width
    return LayerCache(keys, values, state)


class _Numbers:
    """A header's numbers, none of them trusted."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self.arch = header.text("general.architecture") or ""
        heads = max(self.integer("attention.head_count"), 1)
        head_size = self.integer("embedding_length") // heads
        self.key_length = self.integer("attention.key_length") or head_size
        self.value_length = self.integer("attention.value_length") or head_size
        self.latent = self.integer("attention.key_length_mla") > 0
        self.layers = max(
            min(self.integer("block_count"), MOST_LAYERS) - self.integer("nextn_predict_layers"), 0
        )
        index = self.integer("attention.indexer.key_length")
        # GLM 5 Next caches keys, gates and pooled values in one row; MiniMax M3 values too, as wide as a
        # head, but nothing in its dense layers.
        self.index_width = index * (3 if self.arch == "glm5-next" else 1)
        self.index_width += self.value_length if self.arch == "minimax-m3" else 0
        self.first_index = self.integer("leading_dense_block_count") if self.arch == "minimax-m3" else 0

    def integer(self, name: str) -> int:
        """A number of at least 0; a per-layer list counts by its largest."""
        value = self._header.metadata.get(f"{self.arch}.{name}")
        if isinstance(value, Array):
            value = max((n for n in value.values or () if isinstance(n, int)), default=0)
        return max(value, 0) if isinstance(value, int) else 0

    def per_layer(self, name: str) -> list[int]:
        """A list of one number a layer, empty where there is none."""
        value = self._header.metadata.get(f"{self.arch}.{name}")
        if not isinstance(value, Array) or value.values is None:
            return []
        return [max(n, 0) if isinstance(n, int) else 0 for n in value.values]

    def kv_heads(self, layer: int) -> int:
        """Heads with keys of their own in ``layer``; hybrids say 0 for layers without a cache."""
        heads = self.per_layer("attention.head_count_kv") or self.per_layer("attention.head_count")
        if heads:
            return heads[layer] if layer < len(heads) else 0
        return self.integer("attention.head_count_kv") or max(self.integer("attention.head_count"), 1)

    def has_own_keys(self, layer: int) -> bool:
        """Whether ``layer`` has a cache, rather than using that of an earlier one."""
        own = _GEMMA3N_OWN_KEYS if self.arch == "gemma3n" else self.layers
        if self.arch == "gemma4":
            own -= self.integer("attention.shared_kv_layers")
        return layer < own

    def state(self, tensors: dict[str, Tensor]) -> int:
        """Numbers in one state of a layer with these tensors; 0 where it is not recurrent.

        A state is what the layer's convolution or token shift looks back at, and the state proper.
        """
        embedding, heads = self.integer("embedding_length"), self._first_heads()
        kinds = {match[0] for name in tensors if (match := _STATE_TENSORS.match(name))}
        if "time_mix_" in kinds:  # RWKV
            shifts = self.integer("token_shift_count") or _RWKV_TOKEN_SHIFTS
            return embedding * (shifts + self.integer("wkv.head_size"))
        if "shortconv." in kinds:  # LFM2
            return embedding * max(self.integer("shortconv.l_cache") - 1, 0)
        if self.arch == "minimax-01" and "attn_norm_2.weight" in tensors:  # lightning attention
            return heads * self.key_length**2
        if "ssm_" not in kinds:
            return 0
        taps = self.integer("ssm.conv_kernel")
        if "ssm_conv1d_q.weight" in tensors:  # Kimi's delta attention
            head = self.integer("kda.head_dim")
            return heads * head * (3 * ((taps or _CONVOLUTION) - 1) + head) + self._ngrams(tensors)
        inner, size = self.integer("ssm.inner_size"), self.integer("ssm.state_size")
        convolution = max(taps - 1, 0) * (inner + 2 * self.integer("ssm.group_count") * size)
        return convolution + inner * size + self._ngrams(tensors)

    def _ngrams(self, tensors: dict[str, Tensor]) -> int:
        """The last words that Qwen 4's n-gram layer looks back at."""
        if "ple_conv1d.weight" not in tensors:
            return 0
        window = max(self.integer("ple.conv_kernel") - 1, 0) * self.integer("ple.ngram_size")
        return window * self.integer("hyper_connection.count") * self.integer("embedding_length")

    def _first_heads(self) -> int:
        heads = self.per_layer("attention.head_count")
        return heads[0] if heads else self.integer("attention.head_count")

    def deepseek4(self, layer: int) -> LayerCache:
        """Keys of every token; where several tokens are compressed to one, those keys and a state as well."""
        ratios = self.per_layer("attention.compress_ratios")
        ratio = ratios[layer] if layer < len(ratios) else 0
        key, index = self.key_length, self.integer("attention.indexer.key_length")
        if ratio == _OVERLAPPING:  # windows of twice its length, and an index
            return LayerCache(key, 0, 2 * 2 * ratio * 2 * (key + index), ((ratio, key), (ratio, index)))
        return LayerCache(key, 0, 2 * ratio * key, ((ratio, key),) if ratio else ())
