"""Schemas that only endless values fit are refused by name; parts like that are left out of the rest."""

import json
from random import Random

import pytest
from llguidance import LLMatcher

from tests.grammar.answers import BYTES, lets_through, random_answer
from trchat.errors import UsageError
from trchat.grammar.finite import Finite, target_of
from trchat.grammar.schema import read_schema

SELF = {"$ref": "#"}


def held(schema):
    """An object that must hold this."""
    return {"type": "object", "properties": {"a": schema}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        (SELF, "#"),
        (held(SELF), "#/properties/a"),
        (held({"allOf": [SELF]}), "#/properties/a/allOf/0"),
        (held({"anyOf": [SELF, held(SELF)]}), "#/properties/a/anyOf/0"),
        (held({"type": ["object", "null"], "$ref": "#"}), "#/properties/a"),
        ({"type": "array", "items": SELF, "minItems": 1}, "#/items"),
        ({"type": "array", "prefixItems": [{}, SELF], "minItems": 2}, "#/prefixItems/1"),
        ({"type": "object", "required": ["x"], "additionalProperties": SELF}, "#/additionalProperties"),
        ({"type": "object", "minProperties": 1, "additionalProperties": SELF}, "#/additionalProperties"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "#"),
        (
            {
                "$ref": "#/$defs/tree",
                "$defs": {
                    "tree": held({"$ref": "#/$defs/twigs"}),
                    "twigs": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "minItems": 2},
                },
            },
            "#",
        ),
    ],
)
def test_what_only_endless_values_fit_is_refused(schema, where):
    with pytest.raises(UsageError) as caught:
        read_schema(json.dumps(schema), "my.json")
    assert str(caught.value).startswith(f'my.json cannot be followed: "$ref" at {where}: ')
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("schema", "yes"),
    [
        ({"properties": {"a": SELF}, "required": ["a"]}, "7"),  # it need not be an object
        (held({"anyOf": [SELF, {"type": "null"}]}), '{"a": {"a": null}}'),
        ({"type": ["object", "null"], "properties": {"a": SELF}, "required": ["a"]}, '{"a": {"a": null}}'),
        ({"type": "array", "items": SELF}, "[[], []]"),
        ({"type": "array", "prefixItems": [SELF]}, "[[]]"),
        ({"type": "object", "additionalProperties": SELF}, '{"x": {}}'),
        ({"type": "object", "properties": {"a": SELF}, "minProperties": 0}, "{}"),
        ({"enum": [{"a": 1}], "properties": {"a": SELF}, "required": ["b"]}, None),
    ],
)
def test_what_comes_to_an_end_is_followed(schema, yes):
    finite = Finite(schema)
    assert not finite.is_endless(schema)
    assert finite.circle() == ""
    assert finite.endless_reference() == ""
    if yes is not None:
        assert lets_through(read_schema(json.dumps(schema), "x"), yes)


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"anyOf": [SELF, {"type": "null"}]}, "#/anyOf/0"),
        ({"anyOf": [{"type": "null"}, {"oneOf": [{"allOf": [SELF]}]}]}, "#/anyOf/1/oneOf/0/allOf/0"),
        (
            held({"$ref": "#/$defs/a"})
            | {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {}]}, "b": {"$ref": "#/$defs/a"}}},
            "#/$defs/a/anyOf/0",
        ),
    ],
)
def test_references_in_a_circle_are_refused(schema, where):
    """Validators do not come back from them."""
    with pytest.raises(UsageError) as caught:
        read_schema(json.dumps(schema), "my.json")
    assert str(caught.value) == (
        f'my.json cannot be followed: "$ref" at {where}: it leads back to itself without going into a value'
    )


def test_endless_parts_are_never_begun():
    endless = {"$ref": "#/$defs/e"}
    schema = {
        "$defs": {"e": held(endless)},
        "type": "object",
        "properties": {
            "a": endless,
            "b": {"anyOf": [endless, {"const": 1}]},
            "c": {"oneOf": [{"type": "integer"}, endless]},
            "d": {"type": "array", "items": endless},
        },
        "additionalProperties": endless,
    }
    read = read_schema(json.dumps(schema), "x")
    assert lets_through(read, '{"b": 1, "c": 2, "d": []}')
    for answer in ('{"a": {"a', '{"b": {', '{"c": {', '{"d": [{', '{"x": {'):
        raw = list(answer.encode())
        assert LLMatcher(BYTES, read.grammar, log_level=0).try_consume_tokens(raw) < len(raw)
    for seed in range(20):
        assert set(json.loads(random_answer(read, Random(seed), limit=500) or "{}")) <= {"b", "c", "d"}


def test_a_long_chain_of_references_takes_no_time():
    length = 5_000
    steps = {str(i): {"$ref": f"#/$defs/{i + 1}"} for i in range(length)}
    for last, endless in ((held({"$ref": "#/$defs/0"}), True), ({}, False)):
        schema = {"$ref": "#/$defs/0", "$defs": {**steps, str(length): last}}
        assert Finite(schema).is_endless(schema) is endless


def test_references_are_looked_up_as_they_are_written():
    root = {"$defs": {"a/b~c %": [1, {"x": 2}]}}
    assert target_of(root, "#/$defs/a~1b~0c%20%25/1/x") == 2
    assert target_of(root, "#") is root
    for other in ("#/$defs/no", "#/$defs/a~1b~0c %25/7", "other.json", "#anchor", 7, None):
        assert target_of(root, other) is None
