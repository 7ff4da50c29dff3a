"""What is asked: the words on the command line, after what was piped in and the files named."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.errors import UsageError
from trchat.text.code_block import fenced_file
from trchat.text.decode import decode_text
from trchat.text.one_line import one_line

if TYPE_CHECKING:
    from trchat.grammar.schema import Schema

MAX_BYTES = 64_000_000
"""Far beyond any context; what is longer (``/dev/zero``) is not read to its end."""


def read_question(words: Sequence[str], files: Sequence[str]) -> str:
    """Piped stdin first, then each file under its name, then the prompt.

    Raises UsageError when there is nothing to ask, or when a source is unreadable or binary.
    """
    parts = [_read_stdin(), *(_read_file(name) for name in files), " ".join(words).strip()]
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


def _read_stdin() -> str:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read standard input: {error.strerror or error}") from None
    return _decoded(raw, "standard input").strip()


def _read_file(name: str) -> str:
    text = _read_text(name).strip("\n")
    return fenced_file(os.path.basename(name), text)  # noqa: PTH119


def _read_text(name: str) -> str:
    shown = one_line(name)
    try:
        with Path(name).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {shown}: {reason}") from None
    return _decoded(raw, shown)


def _decoded(raw: bytes, source: str) -> str:
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{source} is longer than {MAX_BYTES // 1_000_000} MB, more than any model can read")
    return decode_text(raw, source)
