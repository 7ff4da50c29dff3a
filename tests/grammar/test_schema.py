"""JSON Schemas: which are followed, which are refused by what name, and what is held against an answer."""

import json
from random import Random

import pytest

from tests.grammar.answers import lets_through, random_answer
from tests.grammar.random_schemas import Schemas
from trchat.errors import UsageError
from trchat.grammar.fit import fault, objection
from trchat.grammar.schema import read_schema, refusal
from trchat.llama.grammar import check_schema
from trchat.llama.grammar_child import try_schema


def schema_of(content):
    return read_schema(json.dumps(content), "my.json")


@pytest.mark.parametrize("seed", range(100))
def test_what_a_schema_lets_through_fits_it(seed):
    random = Random(seed)
    schema = schema_of(Schemas(random).whole())
    for _ in range(2):
        answer = random_answer(schema, random)
        if answer is not None:
            # That no name occurs twice is seen to elsewhere (trchat.grammar.names).
            assert (fault(answer, schema.text) or "occurs twice").endswith("occurs twice"), answer


@pytest.mark.parametrize(
    ("schema", "yes", "no"),
    [
        ({"type": ["string", "null"], "enum": ["low", "high", None]}, "null", '"Tyrannosaurus Rex"'),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "5", "-75"),
        ({"enum": ['5" pipe']}, '"5\\" pipe"', '"5\\""'),
        ({"enum": ["C:\\new"]}, '"C:\\\\new"', '"C:\\new"'),
        ({"enum": ["a\nb"]}, '"a\\nb"', '"a\nb"'),
        ({"enum": ["👍", "👎"]}, '"👎"', '"👌"'),
        ({"type": "string", "pattern": "^hello there indeed\\\\!$"}, '"hello there indeed\\\\!"', '"hello"'),
        ({"type": ["string", "null"], "maxLength": 3}, '"日本語"', '"four"'),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, "0.25", "0"),
        ({"type": "number", "exclusiveMinimum": 1000.0, "maximum": 1000.5}, "1000.5", "1000"),
        ({"type": "number", "minimum": -0.5, "exclusiveMaximum": 0.0}, "-0.5", "-0"),
        ({"type": "number", "exclusiveMaximum": 5}, "4.5", "4.99999999999999999999"),
        ({"exclusiveMinimum": -1, "allOf": [{"type": "integer"}]}, "0", "-1"),
        ({"type": "number", "multipleOf": 0.25}, "1.75", "1.8"),
        ({"type": "array", "items": {}, "minItems": 1}, '[{"a": [1, null]}]', "[]"),
        ({"description": "anything"}, '{"a": [1, true, "b"]}', "nothing"),
        (True, "[]", "{,}"),
        ({"if": {"minimum": 3}}, "1", "+1"),
        ({"then": False, "else": False, "minContains": 2, "not": False}, "[1]", "[1,]"),
        ({"unevaluatedProperties": True, "anyOf": [{}], "$dynamicAnchor": "x"}, '{"a": 1}', "{"),
        (
            {"type": "object", "properties": {"a": {}}, "unevaluatedProperties": False},
            '{"a": 1}',
            '{"a": 1, "b": 1}',
        ),
        (
            {"type": "object", "additionalProperties": {"type": "null"}, "unevaluatedProperties": False},
            '{"a": null}',
            '{"a": 1}',
        ),
        ({"prefixItems": [{}], "unevaluatedItems": {"type": "null"}}, "[1, null]", "[1, 1]"),
        ({"type": "array", "uniqueItems": True, "maxItems": 1}, "[1]", "[1, 1]"),
        (
            {
                "type": "object",
                "propertyNames": {"$ref": "#/$defs/c"},
                "additionalProperties": {"type": "integer"},
                "$defs": {"c": {"title": "Colour", "type": "string", "enum": ["red", "blue"]}},
            },
            '{"blue": 7}',
            '{"green": 7}',
        ),
        ({"type": "object", "propertyNames": {"pattern": "^x-"}}, '{"x-a": 7}', '{"a": 7}'),
        ({"type": "object", "propertyNames": {"const": "a"}}, '{"a": 7}', '{"b": 7}'),
        ({"type": "object", "propertyNames": {"type": "string"}}, '{"a": 7}', "[]"),
        ({"type": "string", "maxLength": 2.0}, '"ab"', '"abc"'),
        ({"type": "array", "uniqueItems": False}, "[1, 1]", "[1 1]"),
        ({"type": "string", "format": "date"}, '"2024-02-29"', '"2023-02-29"'),
        ({"type": "string", "format": "date-time"}, '"1998-12-31T23:59:59.5Z"', '"1998-12-31T23:58:60Z"'),
        ({"type": "string", "format": "hostname"}, '"a-b.example"', '"xn--X"'),
        ({"const": 1e20}, "100000000000000000000", "1"),
        (
            {"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "string"}},
            '{"a": 1, "b": "x"}',
            '{"a": 1, "\\u0061": "x"}',
        ),
        (
            {
                "properties": {"status": {"enum": ["on"]}, "s": {"$ref": "#/$defs/status"}},
                "$defs": {"status": {"enum": ["off"]}},
                "required": ["s"],
                "additionalProperties": False,
                "type": "object",
            },
            '{"status": "on", "s": "off"}',
            '{"s": "on"}',
        ),
        (
            {
                "oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}],
                "$defs": {
                    kind: {"type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]}
                    for kind in ("cat", "dog")
                },
            },
            '{"kind": "dog"}',
            '{"kind": "cow"}',
        ),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"tree": {"type": "array", "items": {"$ref": "#/definitions/tree"}}},
                "$ref": "#/definitions/tree",
            },
            "[[], [[]]]",
            "[1]",
        ),
        (
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "type": "number",
                "minimum": 2,
                "exclusiveMinimum": True,
            },
            "2.5",
            "2",
        ),
        ({"type": "object", "x-guidance": {"lenient": True}}, "{}", "7"),
    ],
)
def test_schemas_are_followed_as_written(schema, yes, no):
    made = schema_of(schema)
    assert try_schema(made.grammar.encode()) is None
    assert lets_through(made, yes)
    assert fault(yes, made.text) is None
    assert not lets_through(made, no)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("", "is not JSON"),
        ("{'a': 1}", "is not JSON"),
        ('{"type": "string", "type": "null"}', '"type" occurs twice'),
        ('{"const": NaN}', "NaN"),
        ('{"const": 1e400}', "too many digits"),
        ("[1]", "must be an object, true or false"),
        ('"text"', "must be an object, true or false"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"allOf": [' * 500 + "{}" + "]}" * 500, "nested too deeply"),
        ('{"$schema": "http://json-schema.org/draft-03/schema#"}', '"$schema"'),
        ('{"type": "wrong"}', "#/type"),
        ('{"type": "object", "properties": 7}', "#/properties"),
        ('{"minLength": -1}', "#/minLength"),
        ('{"required": ["a", "a"]}', "#/required"),
        ('{"const": 9007199254740993}', '"const"'),
        ('{"enum": [0.12345678901234567]}', '"enum"'),
        ('{"enum": ["a\\u0000"]}', "U+0000"),
        ('{"properties": {"a\\u007f": {}}}', '"properties"'),
        ('{"minimum": 1e17}', '"minimum"'),
        ('{"type": "number", "multipleOf": 0.01}', '"multipleOf"'),
        ('{"properties": {"a": {"pattern": "(?=b)"}}}', '"pattern" at #/properties/a'),
        ('{"patternProperties": {"(": {}}}', "#"),
    ],
)
def test_what_is_no_schema_or_cannot_be_kept_to_is_said_in_one_line(schema, reason):
    with pytest.raises(UsageError) as caught:
        read_schema(schema, "my.json")
    assert str(caught.value).startswith("my.json")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


UNSUPPORTED = {
    "uniqueItems": True,
    "not": {},
    "contains": {},
    "dependentRequired": {"a": ["b"]},
    "dependentSchemas": {},
    "propertyNames": {"maxLength": 3},
    "$dynamicRef": "#a",
    "dependencies": {},
}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        *(({name: value}, f'"{name}"') for name, value in UNSUPPORTED.items()),
        ({"if": {}, "then": False}, '"if"'),
        ({"contains": {}, "minContains": 2}, '"minContains"'),
        ({"unevaluatedProperties": False, "anyOf": [{"properties": {"a": {}}}]}, '"unevaluatedProperties"'),
        ({"unevaluatedItems": False, "contains": {}}, '"unevaluatedItems"'),
        ({"propertyNames": {"enum": ["a"]}, "properties": {"b": {}}}, '"propertyNames"'),
        ({"propertyNames": False}, '"propertyNames"'),
        ({"format": "iri"}, '"format"'),
        ({"oneOf": [{"type": "string"}, {"minLength": 2}]}, '"oneOf"'),
        ({"patternProperties": {"^a": {}, "b$": {}}}, '"patternProperties"'),
        ({"minProperties": 1, "properties": {"a": {}}}, '"minProperties"'),
        ({"$ref": "https://example.com/x"}, '"$ref"'),
        ({"$ref": "#/nowhere"}, '"$ref"'),
        ({"$ref": "#nowhere"}, '"$ref"'),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "nothing fits"),
        ({"minimum": 3, "maximum": 2, "type": "number"}, "nothing fits"),
        ({"enum": []}, "nothing fits"),
        (False, "nothing fits"),
        ({"type": "object", "properties": {"a": {"not": {}}}, "x-guidance": {"lenient": True}}, '"not"'),
    ],
)
def test_keywords_that_cannot_be_followed_are_refused_by_name(schema, reason):
    said = refusal(try_schema(schema_of(schema).grammar.encode()))
    assert reason in said
    assert "\n" not in said


@pytest.mark.slow
def test_schemas_are_tried_in_a_process_of_their_own():
    check_schema(schema_of({"type": "string", "maxLength": 3}), "my.json")
    with pytest.raises(UsageError) as caught:
        check_schema(schema_of({"uniqueItems": True}), "my.json")
    assert str(caught.value).startswith('my.json cannot be followed: "uniqueItems"')
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(((a{0,1000}){0,1000}){0,1000})$"},
        {"type": "string", "maxLength": 2147483647},
        {"type": "array", "items": {"type": "object"}, "minItems": 2147483647},
    ],
)
def test_what_is_large_is_followed_all_the_same(schema):
    """Counting so far ahead would take gigabytes."""
    random_answer(schema_of(schema), Random(1), limit=50)


@pytest.mark.parametrize(
    ("answer", "schema", "fault"),
    [
        ('{"a": 1}', {"required": ["a"]}, None),
        ('{"a": 1}', {"required": ["b"]}, "required property"),
        ('{"a": 1, "a": 2}', {}, "twice"),
        ('{"a": ', {}, "Expecting value"),
        ('"a"', {"pattern": "^a$"}, None),  # in another process
        ('"b"', {"pattern": "^a$"}, "does not match"),
        ("4.99999999999999999999", {"exclusiveMaximum": 5}, "maximum"),
        ("1" * 5000, {"type": "integer"}, "digits"),
        ("[" * 100_000 + "]" * 100_000, {}, "nested too deeply"),
        ('"x"', {"$ref": "https://example.com/nowhere"}, "nowhere"),
    ],
)
def test_an_answer_is_held_against_its_schema(answer, schema, fault):
    found = objection(answer, json.dumps(schema))
    assert fault in found if fault else found is None
