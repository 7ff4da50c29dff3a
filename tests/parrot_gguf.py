"""A model that writes what it is told to: at which place a token stands decides alone what comes next."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

from tests.tiny_gguf import byte_alphabet

_HEADS = 8


def parrot(
    path: Path,
    template: str,
    control: Sequence[str],
    scripts: Mapping[int, Sequence[str]],
    context: int = 1024,
) -> Path:
    """Write it to ``path``: a token a byte, and the ``control`` tokens, whose last one ends an answer.

    ``scripts`` are pieces, control tokens or text, that are written behind a prompt of so many tokens.
    Elsewhere it ends its answer.
    """
    tokens = [*byte_alphabet(), *control]
    types = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(control)
    while len(tokens) % 32:
        types.append(TokenType.UNUSED)
        tokens.append(f"<unused{len(tokens)}>")
    ids = {token: number for number, token in enumerate(tokens)}
    next_token = np.full(context, ids[control[-1]])
    for start, pieces in scripts.items():
        written = [
            token for piece in pieces for token in ([ids[piece]] if piece in control else _bytes(piece, ids))
        ]
        next_token[start - 1 : start - 1 + len(written)] = written
    writer = GGUFWriter(str(path), "gpt2")
    writer.add_name(path.stem)
    writer.add_context_length(context)
    writer.add_embedding_length(context)
    writer.add_feed_forward_length(32)
    writer.add_block_count(1)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    letter = byte_alphabet()[32]
    writer.add_token_merges([f"{letter} {letter}"])
    writer.add_add_bos_token(False)
    writer.add_eos_token_id(ids[control[-1]])
    writer.add_chat_template(template)
    # A place is one dimension of its own, which the block leaves alone and the head reads.
    head = np.zeros((len(tokens), context), np.float32)
    head[next_token, np.arange(context)] = 1
    ones, wide = np.ones(context, np.float32), np.zeros(32, np.float32)
    tensors = {
        "token_embd.weight": np.zeros((len(tokens), context), np.float16),
        "position_embd.weight": np.eye(context, dtype=np.float32) * 8,
        "output_norm.weight": ones,
        "output_norm.bias": ones * 0,
        "output.weight": head.astype(np.float16),
        "blk.0.attn_norm.weight": ones * 0,
        "blk.0.attn_norm.bias": ones * 0,
        "blk.0.attn_qkv.weight": np.zeros((3 * context, context), np.float16),
        "blk.0.attn_qkv.bias": np.zeros(3 * context, np.float32),
        "blk.0.attn_output.weight": np.zeros((context, context), np.float16),
        "blk.0.attn_output.bias": ones * 0,
        "blk.0.ffn_norm.weight": ones * 0,
        "blk.0.ffn_norm.bias": ones * 0,
        "blk.0.ffn_up.weight": np.zeros((32, context), np.float16),
        "blk.0.ffn_up.bias": wide,
        "blk.0.ffn_down.weight": np.zeros((context, 32), np.float16),
        "blk.0.ffn_down.bias": ones * 0,
    }
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _bytes(text: str, ids: Mapping[str, int]) -> list[int]:
    letters = byte_alphabet()
    return [ids[letters[byte]] for byte in text.encode("utf-8")]
