"""Grammars that an answer must follow: from GBNF or a JSON Schema, checked before a model is loaded."""

import json
import subprocess
import sys
from pathlib import Path

from trchat.errors import UsageError

SECONDS = 30.0
MAX_BYTES = 1 << 20

_CHILD = Path(__file__).with_name("grammar_child.py")
_PARSE_ERROR = "error parsing grammar: "
_NEEDS_VOCABULARY = "no vocab to parse token"
_ANY_CHARACTER = r'[^"\\] |'
_JSON_CHARACTER = r'[^"\\\x7F\x00-\x1F] |'


def grammar_of_schema(schema: str, source: str) -> str:
    """The GBNF of the answers that fit a JSON Schema. Raises UsageError, naming ``source``."""
    try:
        content = json.loads(schema)
    except ValueError as error:
        raise UsageError(f"{source} is not JSON: {error}") from None
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply") from None
    if not isinstance(content, dict):
        raise UsageError(f"{source} is not a JSON Schema: it must be an object")
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        # llama-cpp-python's strings may hold line breaks as they are; JSON's, and llama.cpp's own, may not.
        return str(json_schema_to_gbnf(schema)).replace(
            f"char ::= {_ANY_CHARACTER}", f"char ::= {_JSON_CHARACTER}"
        )
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply") from None
    except Exception as error:  # the converter raises whatever comes up: AssertionError, KeyError, ...
        reason = str(error) or type(error).__name__
        raise UsageError(f"{source} is not a JSON Schema that can be followed: {_line(reason)}") from None


def check_grammar(grammar: str, source: str) -> None:
    """Raise UsageError, naming ``source``, when llama.cpp would not take ``grammar`` (GBNF)."""
    raw = grammar.encode("utf-8", "replace")
    if not grammar.strip():
        raise UsageError(f"{source} is empty; a grammar needs at least a rule called root")
    if len(raw) > MAX_BYTES or "\0" in grammar:
        raise UsageError(
            f"{source} is no grammar that could be used: too long, or with a null character in it"
        )
    try:
        child = subprocess.run(
            [sys.executable, "-P", str(_CHILD)],
            input=raw,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"{source}: llama.cpp does not come to an end with this grammar") from None
    if child.returncode == 0:
        return
    printed = child.stderr.decode("utf-8", "replace")
    objection = child.stdout.decode("utf-8", "replace").strip()
    if _PARSE_ERROR in printed:
        objection = printed.split(_PARSE_ERROR, 1)[1].split("\n", 1)[0]
        if objection.startswith(_NEEDS_VOCABULARY):
            return
    reason = _line(objection) or "llama.cpp cannot take it (rules nested too deeply?)"
    raise UsageError(f"{source} is not a usable grammar: {reason}")


def _line(text: str) -> str:
    """The beginning of somebody else's message, on one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:160]
