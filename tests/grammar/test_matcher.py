"""Patterns that would keep a model waiting at every token are refused before it is asked."""

import json
from random import Random

import pytest
from llguidance import LLTokenizer, TokenizerWrapper

from trchat.errors import UsageError
from trchat.grammar.matcher import check_patterns
from trchat.grammar.schema import read_schema


class Words:
    """A vocabulary of bytes and of long words, as large ones have: all that many masks cost."""

    def __init__(self):
        random = Random(1)
        words = {"".join(random.choices("abcdefgh .", k=16)).encode() for _ in range(8000)}
        self.tokens = [*(bytes([byte]) for byte in range(256)), *sorted(words), b"<end>"]
        self.eos_token_id = self.bos_token_id = len(self.tokens) - 1

    def __call__(self, text):
        return list(text)


@pytest.fixture(scope="module")
def tokenizer():
    return LLTokenizer(TokenizerWrapper(Words()))


def schema_of(content):
    return read_schema(json.dumps(content), "it").grammar


HOSTILE = ["^.*[ab].{30}$", "^.*[ab].{300}$", "^.*a.{50}b.{50}$", "^(.*[a-c]){20}.{20}$"]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_pattern_that_needs_too_many_states_is_refused_by_its_place(tokenizer, pattern):
    where = {"type": "object", "properties": {"code": {"type": "string", "pattern": pattern}}}
    with pytest.raises(
        UsageError, match=r'"pattern" at #/properties/code: following it takes too many steps'
    ):
        check_patterns(tokenizer, schema_of(where))
    names = {"type": "array", "items": {"patternProperties": {pattern: {}}}}
    with pytest.raises(
        UsageError, match=r'"pattern" at #/items/patternProperties: following it takes too many steps'
    ):
        check_patterns(tokenizer, schema_of(names))


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z].{10,200}[.!?]$",
        "[A-Z].{8,}",
        "^https?://[^\\s/$.?#].[^\\s]*$",
        "^.{0,5000}$",
        "^\\S+( \\S+){0,30}$",
        "^.*[0-9].*[a-z].*$",
        "^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$",
        "^.*[ab].{5}$",
    ],
)
def test_what_people_write_is_followed(tokenizer, pattern):
    check_patterns(tokenizer, schema_of({"type": "string", "pattern": pattern}))


def test_a_call_of_a_tool_is_ruled_by_schemas_too(tokenizer):
    (grammar,) = json.loads(schema_of({"type": "string", "pattern": HOSTILE[0]}))["grammars"]
    lark = f'start: call0\ncall0: "<call>" %json {json.dumps(grammar["json_schema"])} "</call>"'
    with pytest.raises(UsageError, match=r'"pattern" at #/0: following it takes too many steps'):
        check_patterns(tokenizer, lark)
