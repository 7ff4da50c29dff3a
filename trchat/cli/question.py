"""What is asked: the words on the command line, after what was piped in and the files named."""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.errors import UsageError
from trchat.text.code_block import fenced_file
from trchat.text.decode import document_text
from trchat.text.one_line import one_line

if TYPE_CHECKING:
    from trchat.grammar.schema import Schema

STDIN = "-"
"""As a file's name, standard input."""
PATIENCE_S = 1.0
"""Without a byte from standard input, before that is said."""
MAX_BYTES = 64_000_000
"""Far beyond any context; what is longer (``/dev/zero``) is not read to its end."""


def read_question(
    words: Sequence[str], files: Sequence[str], say: Callable[[str], object], *, stdin: bool = True
) -> str:
    """Piped stdin first, then each file under its name (``-`` is stdin as well), then the prompt.

    Without ``stdin`` nothing is read there, unless it is named. ``say`` is told what has to be known of what
    was read. Raises UsageError when there is nothing to ask, or when a source is unreadable or binary.
    """
    piped = stdin and STDIN not in files and sys.stdin is not None and not sys.stdin.closed
    parts = [
        _read_stdin(say) if piped and not sys.stdin.isatty() else "",
        *(_read_stdin(say) if name == STDIN else _read_file(name, say) for name in files),
        " ".join(words).strip(),
    ]
    question = "\n\n".join(part for part in parts if part)
    if not question.strip():
        raise UsageError('nothing to ask: give a prompt, as in trchat ask "Why is the sky blue?"')
    return question


def read_schema_file(name: str) -> "Schema":
    """The JSON Schema that an answer is to fit. Raises UsageError where that cannot be kept to."""
    from trchat.grammar.schema import read_schema
    from trchat.llama.grammar import check_schema

    schema = read_schema(_read_text(name), one_line(name))
    check_schema(schema, one_line(name))
    return schema


def read_grammar_file(name: str, model: Path) -> str:
    """The GBNF that an answer of ``model`` is to follow; UsageError for one that llama.cpp does not take."""
    from trchat.llama.grammar import check_grammar

    grammar = _read_text(name)
    check_grammar(grammar, one_line(name), model)
    return grammar


def _read_stdin(say: Callable[[str], object]) -> str:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("standard input is closed")
    # One that another program has left open, as some do, would be waited for in silence for ever.
    waiting = threading.Timer(PATIENCE_S, say, ("reading standard input; </dev/null or --no-stdin for none",))
    waiting.daemon = True
    waiting.start()
    try:
        first = sys.stdin.buffer.read(1)
        waiting.cancel()
        raw = first + sys.stdin.buffer.read(MAX_BYTES) if first else b""
    except OSError as error:
        raise UsageError(f"cannot read standard input: {error.strerror or error}") from None
    finally:
        waiting.cancel()
    return _decoded(raw, "standard input", say).strip()


def _read_file(name: str, say: Callable[[str], object]) -> str:
    text = _decoded(_read_bytes(name), one_line(name), say).strip("\n")
    return fenced_file(os.path.basename(name), text)  # noqa: PTH119


def _read_text(name: str) -> str:
    return _decoded(_read_bytes(name), one_line(name))


def _read_bytes(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {one_line(name)}: {reason}") from None


def _decoded(raw: bytes, source: str, say: Callable[[str], object] = lambda line: None) -> str:
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{source} is longer than {MAX_BYTES // 1_000_000} MB, more than any model can read")
    return document_text(raw, source, say)
