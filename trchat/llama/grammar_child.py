"""Tries a grammar (from stdin), ``gbnf`` or ``schema``, and prints what is said against it, if anything.

A process of its own, run as a script: llama.cpp prints what it dislikes straight to stderr, the grammar
included, rules nested deeply enough overrun its stack, and others keep it busy, or its memory growing, for
ever. The program reads its end as an answer.
"""

import contextlib
import ctypes
import sys

MEMORY = 4 << 30
"""Bytes of addresses this process may use, where the system can limit that; a build of llama.cpp for GPUs
maps a good part of that before it does anything."""


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows, where the time limit alone must do

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _try_gbnf(grammar: bytes) -> str | None:
    import llama_cpp.llama_cpp as llama

    errors: list[str] = []

    @llama.llama_log_callback  # type: ignore[untyped-decorator]
    def on_log(_level: int, text: bytes, _data: object) -> None:
        errors.append(text.decode("utf-8", "replace").strip())

    llama.llama_log_set(on_log, ctypes.c_void_p(0))
    sampler = llama.llama_sampler_init_grammar(None, grammar, b"root")
    return None if sampler else "\n".join(errors[:1])


def _try_schema(grammar: bytes) -> str | None:
    from llguidance import LLMatcher, LLTokenizer

    matcher = LLMatcher(LLTokenizer("byte"), grammar.decode(), log_level=0)
    if not matcher.is_error():
        matcher.compute_bitmask()
    return str(matcher.get_error()) if matcher.is_error() else None


if __name__ == "__main__":
    _limit_memory()
    attempt = {"gbnf": _try_gbnf, "schema": _try_schema}[sys.argv[1]]
    objection = attempt(sys.stdin.buffer.read())
    print(objection or "", flush=True)
    sys.exit(objection is not None)
