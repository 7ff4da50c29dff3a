"""Grammars that an answer must follow, tried in a process of their own before a model is loaded."""

import signal
import subprocess
import sys
from pathlib import Path

from trchat.errors import UsageError
from trchat.grammar.schema import Schema, refusal

SECONDS = 5
"""What trying one may take of a processor, as a chat template may of time; an honest one takes milliseconds,
and loading llama.cpp and a vocabulary half a second."""
PATIENCE = 6
"""Times that, until it is given up on a machine that is busy with other things."""
MAX_BYTES = 1 << 20

_CHILD = Path(__file__).with_name("grammar_child.py")
_OUT_OF_TIME = [-getattr(signal, name, 0) or None for name in ("SIGXCPU", "SIGKILL")]
_PARSE_ERROR = "error parsing grammar: "
_NEEDS_VOCABULARY = "no vocab to parse token"


def check_schema(schema: Schema, source: str) -> None:
    """Raise UsageError, naming ``source`` and the keyword, when an answer cannot be held to ``schema``."""
    tried = _tried("schema", schema.grammar.encode(), source)
    if tried.returncode:
        objection = tried.stdout.decode("utf-8", "replace") or tried.stderr.decode("utf-8", "replace")
        raise UsageError(f"{source} cannot be followed: {refusal(objection)}")


def check_grammar(grammar: str, source: str, model: Path | None = None) -> None:
    """Raise UsageError, naming ``source``, when llama.cpp would not take ``grammar`` (GBNF).

    With a ``model`` a few tokens of its vocabulary are written, which shows what never comes to an end.
    """
    raw = grammar.encode("utf-8", "replace")
    if not grammar.strip():
        raise UsageError(f"{source} is empty; a grammar needs at least a rule called root")
    if len(raw) > MAX_BYTES or "\0" in grammar:
        raise UsageError(
            f"{source} is not a grammar that could be used: too long, or with a null character in it"
        )
    tried = _tried("gbnf", raw, source, *([str(model)] if model else []))
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


def _tried(kind: str, grammar: bytes, source: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    endless = UsageError(f"{source} is too complex: working it out takes longer than {SECONDS} seconds")
    try:
        tried = subprocess.run(
            [sys.executable, "-P", str(_CHILD), str(SECONDS), kind, *arguments],
            input=grammar,
            capture_output=True,
            check=False,
            timeout=SECONDS if sys.platform == "win32" else PATIENCE * SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise endless from None
    if tried.returncode in _OUT_OF_TIME:
        raise endless
    return tried


def _line(text: str) -> str:
    """The beginning of somebody else's message, on one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:160]
