"""A grammar for answers that must call a tool, or else fit a schema (in llguidance's variant of Lark)."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Protocol

from trchat.chat.tools.calls import Tools
from trchat.chat.tools.syntax import Part, Syntax


class Vocabulary(Protocol):
    """What is needed of a model (see trchat.llama.model)."""

    control_texts: frozenset[str]
    user_defined_texts: frozenset[str]

    @property
    def special_ids(self) -> Mapping[str, int]: ...  # noqa: D102


def call_grammar(syntax: Syntax, tools: Tools, vocabulary: Vocabulary) -> str | None:
    """What writes one call of one of ``tools.must``, or ``tools.answer`` where there is one.

    None where these calls can be ruled by no grammar.
    """
    parts = syntax.reader.ruled()
    if parts is None or syntax.header:
        return None
    tokens = {text for text in vocabulary.special_ids if _is_no_text(text, vocabulary)}
    ids = {text: vocabulary.special_ids[text] for text in tokens}
    lead = syntax.section + syntax.opener if syntax.lead is None else syntax.lead
    calls = [
        " ".join(filter(None, (_term(part, name, grammar, ids) for part in [lead, *parts])))
        for name, grammar in zip(tools.must, tools.grammars, strict=True)
    ]
    rules = {f"call{number}": call for number, call in enumerate(calls)}
    if tools.answer:
        rules["answer"] = _json(tools.answer)
    return "\n".join([f"start: {' | '.join(rules)}", *(f"{name}: {rule}" for name, rule in rules.items())])


def _is_no_text(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a token cannot be written by its letters (see ``Model.grammar_tokenizer``)."""
    return text in vocabulary.control_texts or (text[:1] == "<" and text in vocabulary.user_defined_texts)


def _term(part: Part, name: str, grammar: str, ids: Mapping[str, int]) -> str:
    if isinstance(part, str):
        return _literal(part, ids)
    match part.kind:
        case "name":
            return _literal(json.dumps(name, ensure_ascii=False)[1:-1], {})
        case "arguments":
            return _json(grammar)
        case "id":
            return "/[a-zA-Z0-9]{9}/"
        case _:
            return _literal(part.sample, ids)


def _json(grammar: str) -> str:
    """What fits a schema, whose grammar (``Schema.grammar``) stands alone."""
    return f"%json {json.dumps(json.loads(grammar)['grammars'][0]['json_schema'])}"


def _literal(text: str, ids: Mapping[str, int]) -> str:
    """Words, and tokens that no words can write."""
    known: Collection[str] = sorted(ids, key=len, reverse=True)
    pattern = "|".join(map(re.escape, known)) or "(?!)"
    pieces = re.split(f"({pattern})", text)
    terms = [f"<[{ids[each]}]>" if each in ids else json.dumps(each) for each in pieces if each]
    return " ".join(terms)
