"""Which attention kernel a context uses, and as what numbers its keys and values are cached."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

F16, Q8_0, BF16 = 1, 8, 30

_ALIKE_WEIGHTS = {2, 3, 8}  # Q4_0, Q4_1 and Q8_0, as ggml numbers types of tensors
_OUTPUT, _EMBEDDING = "output.weight", "token_embd.weight"
_NOT_MULTIPLIED = re.compile(
    r"token_embd|position_embd|token_types|embed_tokens|norm|conv|rope_|rel_b|_ape\.|exp_probs|res_score|sinks"
    r"|time_mix_(lerp|first|decay|ln|[kr]_[ka]|[wav]0)\b|time_mix_lerp|channel_mix_lerp|tid2eid|centroids"
)
"""Names of tensors that are looked up, added or multiplied number by number, if they have two dimensions."""

_SCORE = 4  # bytes of one
_SCORES = 1 << 28  # and of all those of a batch, where they can be kept to that
_LEAST_BATCH = 128  # tokens that are computed at once even so


@dataclass(frozen=True, slots=True)
class Rounding:
    """Whether a CPU's kernels for a model's weights round alike at all batch widths.

    Attributes:
        layers: those of all layers do: what is cached is then the same to the last bit.
        output: the output layer's does: so are the logits.
    """

    layers: bool = True
    output: bool = True


def rounding_of(tensors: Iterable[tuple[str, Sequence[int], int]]) -> Rounding:
    """Tell from a model's tensors: name, shape and ggml's number of the type of each.

    The kernels for Q8_0, Q4_0 and Q4_1 round alike. Those of other types do not, nor does F32, which is what
    small matrices are often left in: a mixture's router, Gemma 3n's and 4's, recurrent layers' time steps.
    One of them in a layer is enough, since the next layer rounds its inputs to eight bits, and so makes
    much of a little. An output layer of another type, as llama.cpp puts it into files called Q4_0, changes
    the last bits of the logits, and nothing else.
    """
    layers, output, embedding = True, None, True
    for name, shape, kind in tensors:
        alike = kind in _ALIKE_WEIGHTS
        if name == _OUTPUT:
            output = alike
        elif name == _EMBEDDING:
            embedding = alike
        elif not alike and _is_multiplied(name, shape):
            layers = False
    return Rounding(layers, embedding if output is None else output)


def _is_multiplied(name: str, shape: Sequence[int]) -> bool:
    matrix = sum(size > 1 for size in shape) > 1
    return matrix and name.endswith(".weight") and not _NOT_MULTIPLIED.search(name)


@dataclass(frozen=True, slots=True)
class Attention:
    """A choice for one context.

    Attributes:
        flash: ``on``, ``off``, or ``auto`` where llama.cpp decides.
        key_type, value_type: ggml's numbers of types.
        keeps_order: whether the order of cells shows in what is cached, to the last bit.
        alike: whether batches of all widths give the same logits, to the last bit.
        batch: most tokens to be computed at once.
    """

    flash: str
    key_type: int
    value_type: int
    keeps_order: bool
    alike: bool
    batch: int


def choose_attention(
    flash_attn: str,
    cache_type: str,
    *,
    on_gpu: bool,
    rounding: Rounding,
    latent: bool = False,
    batch: int,
    row_scores: int,
) -> Attention:
    """Choose for ``flash_attn`` (``auto``, ``on`` or ``off``) and ``cache_type`` (``f16`` or ``q8_0``).

    ``latent`` attention keeps one compressed row a token, which is key and value. ``row_scores`` is how many
    scores one token has in a full context, over all heads.

    llama.cpp's CPU flash attention has three kernels: one splits the cache over threads (single-token
    batches from 257 cells on), one works in tiles (64 tokens and more), one does the rest; they round
    differently, which alone flips tokens. The first two want K and V of one type, F16 or F32. With V in
    BF16 only the third is used, at every width and length; of latent attention K is then BF16 too, since V
    is a part of it. That is the choice where the weights' kernels round alike too, so that drafts change
    nothing, to the last bit. It is slow at reading long prompts (three times, for 1,500 tokens). Where the
    weights' kernels differ anyway, attention without flash attention is the fastest for trees and for single
    tokens, and nearly so for prompts; but it writes down the scores of a whole batch, so batches get smaller
    where contexts are long, until they would be too small.
    """
    exact = rounding.layers and not on_gpu
    alike = exact and rounding.output
    if cache_type == "q8_0":  # llama.cpp quantises V only with flash attention
        return Attention("on", Q8_0, Q8_0, exact, alike, batch)
    if flash_attn == "auto" and not on_gpu and not exact:
        flash_attn = "off" if score_bytes(row_scores, batch) <= _SCORES else "on"
    if flash_attn == "off":
        return Attention("off", F16, F16, False, False, _batch_for_scores(row_scores, batch))
    value = BF16 if exact else F16
    return Attention(flash_attn, value if latent else F16, value, exact, alike, batch)


def score_bytes(row_scores: int, batch: int) -> int:
    """Bytes that the scores of batches of up to ``batch`` tokens take without flash attention."""
    return _SCORE * row_scores * _batch_for_scores(row_scores, batch)


def _batch_for_scores(row_scores: int, batch: int) -> int:
    return min(max(_SCORES // max(_SCORE * row_scores, 1), _LEAST_BATCH), batch)
