"""Asks llama.cpp whether it takes a grammar (GBNF, from stdin) and prints the objection, if any.

A process of its own, run as a script: llama.cpp prints what it dislikes straight to stderr, the grammar
included, and rules nested deeply enough overrun its stack.
"""

import ctypes
import sys


def _main() -> int:
    import llama_cpp.llama_cpp as llama

    errors: list[str] = []

    @llama.llama_log_callback  # type: ignore[untyped-decorator]
    def on_log(_level: int, text: bytes, _data: object) -> None:
        errors.append(text.decode("utf-8", "replace").strip())

    llama.llama_log_set(on_log, ctypes.c_void_p(0))
    sampler = llama.llama_sampler_init_grammar(None, sys.stdin.buffer.read(), b"root")
    print("\n".join(errors[:1]), flush=True)
    return 0 if sampler else 1


if __name__ == "__main__":
    sys.exit(_main())
