"""Grammars that an answer must follow, tried in a process of their own before a model is loaded."""

import subprocess
import sys
from pathlib import Path

from trchat.errors import UsageError
from trchat.grammar.schema import Schema, refusal

SECONDS = 5.0
"""What trying one may take, as long as a chat template may; an honest one takes milliseconds."""
MAX_BYTES = 1 << 20

_CHILD = Path(__file__).with_name("grammar_child.py")
_PARSE_ERROR = "error parsing grammar: "
_NEEDS_VOCABULARY = "no vocab to parse token"


def check_schema(schema: Schema, source: str) -> None:
    """Raise UsageError, naming ``source`` and the keyword, when an answer cannot be held to ``schema``."""
    tried = _tried("schema", schema.grammar.encode(), source)
    if tried.returncode:
        objection = tried.stdout.decode("utf-8", "replace") or tried.stderr.decode("utf-8", "replace")
        raise UsageError(f"{source} cannot be followed: {refusal(objection)}")


def check_grammar(grammar: str, source: str) -> None:
    """Raise UsageError, naming ``source``, when llama.cpp would not take ``grammar`` (GBNF)."""
    raw = grammar.encode("utf-8", "replace")
    if not grammar.strip():
        raise UsageError(f"{source} is empty; a grammar needs at least a rule called root")
    if len(raw) > MAX_BYTES or "\0" in grammar:
        raise UsageError(
            f"{source} is no grammar that could be used: too long, or with a null character in it"
        )
    tried = _tried("gbnf", raw, source)
    if tried.returncode == 0:
        return
    printed = tried.stderr.decode("utf-8", "replace")
    objection = tried.stdout.decode("utf-8", "replace").strip()
    if _PARSE_ERROR in printed:
        objection = printed.split(_PARSE_ERROR, 1)[1].split("\n", 1)[0]
        if objection.startswith(_NEEDS_VOCABULARY):
            return
    reason = _line(objection) or "llama.cpp cannot take it (too much memory, or rules nested too deeply?)"
    raise UsageError(f"{source} is not a usable grammar: {reason}")


def _tried(kind: str, grammar: bytes, source: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            [sys.executable, "-P", str(_CHILD), kind],
            input=grammar,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{source} is too complex: working it out takes longer than {SECONDS:.0f} seconds"
        ) from None


def _line(text: str) -> str:
    """The beginning of somebody else's message, on one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:160]
