"""Finds out whether this build's AMX kernels run at all, in a child process that may crash.

GCC 12 treats ``_tile_loadconfig`` as reading 8 of its 64 bytes and drops the other stores, so a llama.cpp
compiled with it dies of SIGSEGV in its first batch of two tokens on every CPU with AMX; with GCC 13.3 it
does not. The probe decodes two tokens with a tiny all-zero model; the verdict is kept beside the data, per
build.
"""

import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import llama_cpp.llama_cpp as llama

from trchat.llama.log import system_info
from trchat.paths import data_dir, make_private_dir

_EMBD, _FF, _VOCAB, _ALIGN = 64, 64, 64, 32
_TIMEOUT = 120  # seconds; it takes well below one
_U32, _F32, _STR = 4, 6, 8
_TYPE_F32, _TYPE_Q8_0 = 0, 8
_Q8_0_BLOCK, _Q8_0_BYTES = 32, 34


def amx_kernels_work() -> bool:
    """Whether models may use AMX buffers: True when the build has none, else the probe's verdict."""
    if "AMX_INT8 = 1" not in system_info():
        return True
    library = Path(llama.__file__).parent / "lib"
    stamps = sorted(
        (file.name, file.stat().st_size, int(file.stat().st_mtime)) for file in library.glob("*cpu*")
    )
    build = json.dumps(stamps)
    verdicts = data_dir() / "amx.json"
    try:
        known = json.loads(verdicts.read_text(encoding="utf-8"))
        if known.get("build") == build:
            return bool(known["works"])
    except (OSError, ValueError, AttributeError, KeyError):
        pass
    try:
        works = _child_survives()
    except OSError:
        return False  # no process could be started: nothing was found out that should be kept
    try:
        make_private_dir(verdicts.parent)
        verdicts.write_text(json.dumps({"build": build, "works": works}), encoding="utf-8")
    except OSError:
        pass  # asked again next time
    return works


def _child_survives() -> bool:
    """Whether a child process decodes; it may crash or hang. Raises OSError where none can be started."""
    # Started beside the package, so that no stray module in the user's folder is imported.
    beside = Path(__file__).parents[2]
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__], capture_output=True, check=False, timeout=_TIMEOUT, cwd=beside
        )
    except subprocess.TimeoutExpired:
        return False
    return child.returncode == 0


def tiny_model() -> bytes:
    """A llama-architecture GGUF (v3) of one layer, all zero, in Q8_0, without a vocabulary (about 60 kB)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    metadata: list[tuple[str, int, bytes]] = [
        ("general.architecture", _STR, text("llama")),
        ("tokenizer.ggml.model", _STR, text("no_vocab")),
        ("llama.vocab_size", _U32, struct.pack("<I", _VOCAB)),
        ("llama.context_length", _U32, struct.pack("<I", 64)),
        ("llama.embedding_length", _U32, struct.pack("<I", _EMBD)),
        ("llama.block_count", _U32, struct.pack("<I", 1)),
        ("llama.feed_forward_length", _U32, struct.pack("<I", _FF)),
        ("llama.attention.head_count", _U32, struct.pack("<I", 2)),
        ("llama.attention.layer_norm_rms_epsilon", _F32, struct.pack("<f", 1e-5)),
    ]
    matrices = ["token_embd", "output"] + [
        f"blk.0.{name}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    ]
    tensors: list[tuple[str, tuple[int, ...], int]] = [
        (f"{name}.weight", (_EMBD, _EMBD), _TYPE_Q8_0) for name in matrices
    ]
    tensors += [
        (f"{name}.weight", (_EMBD,), _TYPE_F32)
        for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    ]

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, kind, value in metadata:
        out += text(key) + struct.pack("<I", kind) + value
    offset = 0
    for name, shape, kind in tensors:
        out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        size = count // _Q8_0_BLOCK * _Q8_0_BYTES if kind == _TYPE_Q8_0 else count * 4
        offset += -(-size // _ALIGN) * _ALIGN
    out += b"\0" * (-len(out) % _ALIGN)
    return out + b"\0" * offset


def decode_two_tokens() -> bool:
    """Load the tiny model with AMX buffers and decode one batch of two tokens; may kill the process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.gguf"
        path.write_bytes(tiny_model())
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            return False
        context = llama.llama_init_from_model(model, llama.llama_context_default_params())
        tokens = (llama.llama_token * 2)(1, 2)
        result = int(llama.llama_decode(context, llama.llama_batch_get_one(tokens, 2)))
        llama.llama_free(context)
        llama.llama_model_free(model)
    return result == 0


if __name__ == "__main__":
    sys.exit(0 if decode_two_tokens() else 1)
