"""Which attention kernel a context uses, and as what numbers its keys and values are cached."""

from dataclasses import dataclass

F16, Q8_0, BF16 = 1, 8, 30

_ALIKE_FILES = {2, 3, 7}  # Q4_0, Q4_1 and Q8_0, as llama.cpp numbers kinds of files
_GUESSED = 1024  # added to that number where the file does not say it

_SCORE = 4  # bytes of one
_SCORES = 1 << 28  # and of all those of a batch, where they can be kept to that
_LEAST_BATCH = 128  # tokens that are computed at once even so


@dataclass(frozen=True, slots=True)
class Attention:
    """A choice for one context.

    Attributes:
        flash: ``on``, ``off``, or ``auto`` where llama.cpp decides.
        key_type, value_type: ggml's numbers of types.
        alike: whether batches of all widths round alike, to the last bit.
        batch: most tokens to be computed at once.
    """

    flash: str
    key_type: int
    value_type: int
    alike: bool
    batch: int


def weights_round_alike(file_type: int) -> bool:
    """Whether a CPU's kernels for weights of llama.cpp's ``file_type`` round alike at all batch widths."""
    return file_type & ~_GUESSED in _ALIKE_FILES


def choose_attention(
    flash_attn: str, cache_type: str, *, on_gpu: bool, weights_alike: bool, batch: int, row_scores: int
) -> Attention:
    """Choose for ``flash_attn`` (``auto``, ``on`` or ``off``) and ``cache_type`` (``f16`` or ``q8_0``).

    ``row_scores`` is how many scores one token has in a full context, over all heads.

    llama.cpp's CPU flash attention has three kernels: one splits the cache over threads (single-token
    batches from 257 cells on), one works in tiles (64 tokens and more), one does the rest; they round
    differently, which alone flips tokens. The first two want K and V of one type. With V in BF16 only the
    third is used, at every width and length. That is the choice where the weights' kernels round alike too,
    so that drafts change nothing, to the last bit. It is slow at reading long prompts (three times, for
    1,500 tokens). Where the weights' kernels differ anyway, attention without flash attention is the
    fastest for trees and for single tokens, and nearly so for prompts; but it writes down the scores of a
    whole batch, so batches get smaller where contexts are long, until they would be too small.
    """
    exact = weights_alike and not on_gpu
    if cache_type == "q8_0":  # llama.cpp quantises V only with flash attention
        return Attention("on", Q8_0, Q8_0, exact, batch)
    if flash_attn == "auto" and not on_gpu and not exact:
        flash_attn = "off" if score_bytes(row_scores, batch) <= _SCORES else "on"
    if flash_attn == "off":
        return Attention("off", F16, F16, False, _batch_for_scores(row_scores, batch))
    return Attention(flash_attn, F16, BF16 if exact else F16, exact, batch)


def score_bytes(row_scores: int, batch: int) -> int:
    """Bytes that the scores of batches of up to ``batch`` tokens take without flash attention."""
    return _SCORE * row_scores * _batch_for_scores(row_scores, batch)


def _batch_for_scores(row_scores: int, batch: int) -> int:
    return min(max(_SCORES // max(_SCORE * row_scores, 1), _LEAST_BATCH), batch)
