"""What is asked: the words on the command line, after what was piped in and the files named."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from trchat.errors import UsageError
from trchat.text.decode import decode_text


def read_question(words: Sequence[str], files: Sequence[str]) -> str:
    """Piped stdin first, then each file under its name, then the prompt.

    Raises UsageError when there is nothing to ask, or when a source is unreadable or binary.
    """
    parts = [_read_stdin(), *(_read_file(name) for name in files), " ".join(words).strip()]
    question = "\n\n".join(part for part in parts if part)
    if not question.strip():
        raise UsageError('nothing to ask: give a prompt, as in trchat ask "Why is the sky blue?"')
    return question


def _read_stdin() -> str:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    try:
        return decode_text(sys.stdin.buffer.read(), "standard input").strip()
    except OSError as error:
        raise UsageError(f"cannot read standard input: {error.strerror or error}") from error


def _read_file(name: str) -> str:
    try:
        raw = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {name}: {reason}") from error
    text = decode_text(raw, name).strip("\n")
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{os.path.basename(name)}:\n{fence}\n{text}\n{fence}"  # noqa: PTH119
