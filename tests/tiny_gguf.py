"""Tiny random-weight GGUFs of several architectures, made on the spot with the ``gguf`` package."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, PoolingType, TokenType, quants

from tests import tiny_attention
from tests.tiny_attention import ATTENTIVE, Attentive
from tests.tiny_hybrids import HYBRIDS, Hybrid, Sizes

EMBD, FF, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 64, 128, 2, 4, 2, 16
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    stand_ins = {byte: chr(byte) for byte in printable}
    for extra, byte in enumerate(byte for byte in range(256) if byte not in stand_ins):
        stand_ins[byte] = chr(256 + extra)
    return [stand_ins[byte] for byte in range(256)]


SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def add_vocabulary(
    writer: GGUFWriter, control: Sequence[str] = SPECIALS, user_defined: Sequence[str] = ()
) -> int:
    """A byte-level BPE vocabulary with these special tokens (BOS is the second, EOS the third); its size."""
    specials = [*control, *user_defined]
    merges = ["t h", "th e", "a n", "i n"]
    tokens = specials + byte_alphabet() + [merge.replace(" ", "") for merge in merges]
    tokens += [f"<|unused{i}|>" for i in range(-len(tokens) % 64)]
    types = [
        TokenType.CONTROL
        if token in control or token.startswith("<|unused")
        else TokenType.USER_DEFINED
        if token in user_defined
        else TokenType.NORMAL
        for token in tokens
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    return len(tokens)


def add_sentencepiece(
    writer: GGUFWriter, control: Sequence[str] = (), user_defined: Sequence[str] = ()
) -> int:
    """A vocabulary as Llama 2 has it, with byte fallback: spaces are letters, and texts begin with one."""
    words = [
        "\u2581",
        "\u2581[",
        "INST",
        "IN",
        "ST",
        "/INST",
        "\u2581the",
        "the",
        "th",
        "he",
        "\u2581t",
        "]",
        "[",
    ]
    letters = [chr(code) for code in range(33, 127) if chr(code) not in words]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.BYTE] * 256]
    for more, kind in (
        (control, TokenType.CONTROL),
        (user_defined, TokenType.USER_DEFINED),
        ([*words, *letters], TokenType.NORMAL),
    ):
        tokens += more
        types += [kind] * len(more)
    scores = [-float(index) for index in range(len(tokens))]
    unused = -len(tokens) % 64
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens + [f"<|unused{i}|>" for i in range(unused)])
    writer.add_token_types(types + [TokenType.CONTROL] * unused)
    writer.add_token_scores(scores + [-1000.0] * unused)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    return len(tokens) + unused


def make(
    path: Path,
    arch: str = "llama",
    *,
    weights: bool = True,
    template: str | None = CHATML,
    n_ctx: int = 2048,
    window: int = 8,
    seed: int = 0,
    quantisation: GGMLQuantizationType = GGMLQuantizationType.Q8_0,
    vocabulary: Callable[[GGUFWriter], int] = add_vocabulary,
) -> Path:
    """Write a model of ``arch``: llama, qwen2, gemma2 (sliding window of ``window``), mamba or bert,
    or one of ATTENTIVE or HYBRIDS.
    """
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, arch)
    writer.add_name(f"Tiny {arch}")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_block_count(Sizes.layers if arch in HYBRIDS else LAYERS)
    if arch not in HYBRIDS:
        writer.add_feed_forward_length(FF)
    n_vocab = vocabulary(writer)
    if template is not None:
        writer.add_chat_template(template)

    def matrix(name: str, rows: int, columns: int, scale: float = 2.0) -> None:
        # Large enough for the next token to depend on the whole text.
        data = (random.standard_normal((rows, columns)) * scale / columns**0.5).astype(np.float32)
        quantised = quants.quantize(data, quantisation)
        writer.add_tensor(name, quantised, raw_dtype=quantisation)

    def vector(name: str, size: int, value: float = 1.0) -> None:
        writer.add_tensor(name, np.full(size, value, np.float32))

    if weights:
        # Gemma's output layer is its embedding: a large one would only ever repeat the last token.
        matrix("token_embd.weight", n_vocab, EMBD, scale=0.05 if arch == "gemma2" else 2.0)
        if arch != "bert" and arch not in HYBRIDS:
            vector("output_norm.weight", EMBD)
    if arch in HYBRIDS:
        hybrid = Hybrid(writer, arch, Sizes(embd=EMBD, ff=FF), matrix, vector, seed)
        hybrid.header()
        if weights:
            hybrid.tensors(n_vocab)
    elif arch == "mamba":
        _mamba(writer, random, matrix, vector)
    elif arch in ATTENTIVE:
        sizes = tiny_attention.Sizes(EMBD, FF, LAYERS, HEADS, KV_HEADS, HEAD_DIM, window)
        attentive = Attentive(writer, arch, sizes, matrix, vector, quantisation, seed)
        attentive.header()
        if weights:
            attentive.tensors(n_vocab)
    elif arch == "bert":
        writer.add_head_count(HEADS)
        writer.add_layer_norm_eps(1e-5)
        writer.add_token_type_count(1)
        writer.add_tensor("token_types.weight", np.zeros((1, EMBD), np.float32))
        writer.add_causal_attention(False)
        writer.add_pooling_type(PoolingType.MEAN)
        _bert(matrix, vector, random, writer, n_ctx)
    else:
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(KV_HEADS)
        writer.add_key_length(HEAD_DIM)
        writer.add_value_length(HEAD_DIM)
        writer.add_layer_norm_rms_eps(1e-5)
        if arch == "gemma2":
            writer.add_sliding_window(window)
            writer.add_attn_logit_softcapping(50.0)
            writer.add_final_logit_softcapping(30.0)
        if weights:
            _attention_blocks(arch, matrix, vector)
            if arch != "gemma2":
                matrix("output.weight", n_vocab, EMBD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _attention_blocks(arch, matrix, vector) -> None:
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        vector(block + "attn_norm.weight", EMBD)
        matrix(block + "attn_q.weight", HEADS * HEAD_DIM, EMBD)
        matrix(block + "attn_k.weight", KV_HEADS * HEAD_DIM, EMBD)
        matrix(block + "attn_v.weight", KV_HEADS * HEAD_DIM, EMBD)
        matrix(block + "attn_output.weight", EMBD, HEADS * HEAD_DIM)
        vector(block + "ffn_norm.weight", EMBD)
        matrix(block + "ffn_gate.weight", FF, EMBD)
        matrix(block + "ffn_up.weight", FF, EMBD)
        matrix(block + "ffn_down.weight", EMBD, FF)
        if arch == "qwen2":
            vector(block + "attn_q.bias", HEADS * HEAD_DIM, 0.1)
            vector(block + "attn_k.bias", KV_HEADS * HEAD_DIM, 0.1)
            vector(block + "attn_v.bias", KV_HEADS * HEAD_DIM, 0.1)
        if arch == "gemma2":
            vector(block + "post_attention_norm.weight", EMBD)
            vector(block + "post_ffw_norm.weight", EMBD)


def _mamba(writer, random, matrix, vector) -> None:
    inner, state, rank, conv = 2 * EMBD, 16, 4, 4
    writer.add_ssm_conv_kernel(conv)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)

    def small(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * 0.2).astype(np.float32))

    for layer in range(LAYERS):
        block = f"blk.{layer}."
        vector(block + "attn_norm.weight", EMBD)
        matrix(block + "ssm_in.weight", 2 * inner, EMBD)
        small(block + "ssm_conv1d.weight", inner, conv)
        small(block + "ssm_conv1d.bias", inner)
        matrix(block + "ssm_x.weight", rank + 2 * state, inner)
        small(block + "ssm_dt.weight", inner, rank)
        small(block + "ssm_dt.bias", inner)
        writer.add_tensor(block + "ssm_a", -np.abs(random.standard_normal((inner, state))).astype(np.float32))
        vector(block + "ssm_d", inner)
        matrix(block + "ssm_out.weight", EMBD, inner)


def _bert(matrix, vector, random, writer, n_ctx) -> None:
    table = (random.standard_normal((n_ctx, EMBD)) * 0.1).astype(np.float32)
    writer.add_tensor("position_embd.weight", table)
    vector("token_embd_norm.weight", EMBD)
    vector("token_embd_norm.bias", EMBD, 0.0)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{block}{name}.weight", EMBD, EMBD)
            vector(f"{block}{name}.bias", EMBD, 0.0)
        for name in ("attn_output_norm", "layer_output_norm"):
            vector(f"{block}{name}.weight", EMBD)
            vector(f"{block}{name}.bias", EMBD, 0.0)
        matrix(block + "ffn_up.weight", FF, EMBD)
        vector(block + "ffn_up.bias", FF, 0.0)
        matrix(block + "ffn_down.weight", EMBD, FF)
        vector(block + "ffn_down.bias", EMBD, 0.0)
