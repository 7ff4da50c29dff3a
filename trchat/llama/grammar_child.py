"""Tries a grammar (from stdin), ``schema`` or ``gbnf``, and prints what is said against it, if anything.

A process of its own, run as a script: llama.cpp prints what it dislikes straight to stderr, the grammar
included, rules nested deeply enough overrun its stack, and others keep it busy, or its memory growing, for
ever. The program reads its end as an answer.
"""

import contextlib
import ctypes
import os
import sys
from typing import Any

TOKENS, TRIED = 4, 512
"""How many are written, out of how many, to see whether a grammar can be followed in reasonable time."""
WRITTEN = 32
"""Bytes that are written by a schema for the same reason: into the first strings of an honest one."""
MEMORY = 4 << 30
"""Bytes of addresses this process may use, where the system can limit that; a build of llama.cpp for GPUs
maps a good part of that before it does anything."""


def _limit(seconds: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows, where the program's patience alone must do

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _try_gbnf(grammar: bytes, model: str = "") -> str | None:
    """``model`` is a GGUF file, whose vocabulary the grammar is tried with."""
    import llama_cpp.llama_cpp as llama

    errors: list[str] = []

    @llama.llama_log_callback  # type: ignore[untyped-decorator]
    def on_log(_level: int, text: bytes, _data: object) -> None:
        errors.append(text.decode("utf-8", "replace").strip())

    llama.llama_log_set(on_log, ctypes.c_void_p(0))
    vocab = None
    if model:
        params = llama.llama_model_default_params()
        params.vocab_only = True
        loaded = llama.llama_model_load_from_file(os.fsencode(model), params)
        vocab = llama.llama_model_get_vocab(loaded) if loaded else None
        errors.clear()
    sampler = llama.llama_sampler_init_grammar(vocab, grammar, b"root")
    if not sampler:
        return "\n".join(errors[:1])
    if vocab:
        _write(llama, vocab, sampler)
    return None


def _write(llama: Any, vocab: Any, sampler: Any) -> None:
    """Write a few tokens by the grammar, of a few that it may allow: some parse, and then never get there."""
    n_vocab = llama.llama_vocab_n_tokens(vocab)
    # Bytes and letters come first in most vocabularies.
    tried = sorted({*range(min(n_vocab, TRIED)), *range(0, n_vocab, n_vocab // TRIED + 1)})
    for step in range(TOKENS):
        row = (llama.llama_token_data * len(tried))()
        for place, token in enumerate(tried):
            row[place].id = token
        tokens = llama.llama_token_data_array(row, len(tried), -1, False)
        llama.llama_sampler_apply(sampler, ctypes.byref(tokens))
        allowed = [
            each.id for each in row if each.logit == 0 and not llama.llama_vocab_is_eog(vocab, each.id)
        ]
        if not allowed:
            return
        llama.llama_sampler_accept(sampler, allowed[len(allowed) * step // TOKENS])


def try_schema(grammar: bytes) -> str | None:
    """What is said against a grammar that was made of a JSON Schema, in this process."""
    from llguidance import LLMatcher, LLTokenizer

    matcher = LLMatcher(LLTokenizer("byte"), grammar.decode(), log_level=0)
    for step in range(WRITTEN):
        matcher.consume_tokens(matcher.compute_ff_tokens())
        if matcher.is_stopped():
            break
        bits = matcher.compute_bitmask()
        allowed = [byte for byte in range(256) if bits[byte // 8] >> byte % 8 & 1]
        if not allowed:
            break
        matcher.consume_token(allowed[len(allowed) * step // WRITTEN])
    return str(matcher.get_error()) if matcher.is_error() else None


if __name__ == "__main__":
    _limit(int(sys.argv[1]))
    attempt: Any = {"gbnf": _try_gbnf, "schema": try_schema}[sys.argv[2]]
    objection = attempt(sys.stdin.buffer.read(), *sys.argv[3:])
    print(objection or "", flush=True)
    sys.exit(objection is not None)
