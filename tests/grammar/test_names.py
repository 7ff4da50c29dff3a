"""Names that occur twice in an object, seen before they are written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.grammar.names import Names

VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def written(text, size=1):
    """What follows the text so far; it is written in pieces of ``size`` bytes."""
    names = Names()
    raw = text.encode()
    for start in range(0, len(raw), size):
        names.write(raw[start : start + size])
    return names


@given(VALUES, st.integers(1, 9))
def test_no_name_repeats_in_what_json_dumps_writes(value, size):
    text = json.dumps(value, ensure_ascii=False)
    names = Names()
    raw = text.encode()
    for start in range(0, len(raw), size):
        piece = raw[start : start + size]
        assert not names.repeats(piece)
        names.write(piece)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ('{"a": 1, "a', '"'),
        ('{"a": 1, "', 'a": 2'),
        ('{"a": 1', ', "a": 2}'),
        ('{"": 1, "', '"'),
        ('{"a": {"b": [{"a": 1}]}, "a', '":'),
        ('{"a\\"": 1, "a\\"', '"'),
        ('[{"é": 1, "', 'é"'),
        ('{"a": "b", "b": {}, "c": [], "b', '": '),
        ("", '{"a": 1, "a": 2}'),
    ],
)
def test_a_name_that_repeats_is_seen(text, piece):
    names = written(text)
    assert names.repeats(piece.encode())
    assert names.repeats(piece.encode()), "asking changes nothing"


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ('{"a": 1, "a', 'b"'),
        ('{"a": "', 'a"'),
        ('{"a": ["a", "', 'a"]'),
        ('{"a": {', '"a": 1}'),
        ('[{"a": 1}, {"', 'a"'),
        ('{"a": {"x": 1}, "', 'x": 2}'),
        ('{"a": "\\"a\\": ', '"'),
    ],
)
def test_what_does_not_repeat_goes_on(text, piece):
    assert not written(text).repeats(piece.encode())
