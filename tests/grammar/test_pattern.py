"""Patterns: what is made of them matches nothing that the pattern does not, in whoever's dialect."""

import json
import re
import warnings
from random import Random

import pytest

from tests.grammar.answers import lets_through, random_answer
from trchat.grammar.pattern import UnsupportedPatternError, common_pattern
from trchat.grammar.schema import read_schema

PIECES = [
    *(
        "a",
        "b",
        "é",
        "#",
        " ",
        r"\d",
        r"\D",
        r"\w",
        r"\W",
        r"\s",
        r"\S",
        ".",
        "[a-c]",
        "[^a]",
        r"[\d_]",
        r"[^\W]",
    ),
    *(
        r"[\D]",
        r"[^\s\d]",
        r"[^\D]",
        "[&&a]",
        "[[a]",
        r"\.",
        r"\/",
        r"\-",
        "\\u00e9",
        r"\x41",
        r"[^\S\n]",
        r"[\w-]",
    ),
    *(r"[\]x]", "[~~]", "(?:a|bb)", "(c|d)", r"[\S\d]", r"[^\Sa]"),
]
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "*?", "+?"]


def random_pattern(random):
    body = "".join(random.choice(PIECES) + random.choice(REPEATS) for _ in range(random.randrange(1, 4)))
    if random.random() < 0.2:
        body = f"({body})|{random.choice(PIECES)}"
    return random.choice(["", "^"]) + body + random.choice(["", "$"])


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_by_a_pattern_matches_it(seed):
    random = Random(seed)
    pattern = random_pattern(random)
    schema = read_schema(json.dumps({"type": "string", "pattern": pattern}), "x")
    with warnings.catch_warnings(action="ignore"):
        wanted = re.compile(pattern)
    for _ in range(3):
        text = random_answer(schema, random)
        if text is not None:
            assert wanted.search(json.loads(text)), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"^\d{4}$", "2024", True),
        (r"^\d{4}$", "٢٠٢٤", False),
        ("^[a&&b]+$", "a&b", True),
        ("^[[a]]$", "[]", True),
        ("^a|b$", "ax", True),
        ("^a|b$", "xa", False),
        ("a+?", "xxaxx", True),
        ("^.$", "\n", False),
        ("^[\\x00-\\x7f]*$", "abc", True),
        (r"^[^\x00-\x1f\x7f]+$", "abc", True),
        (r"^[^\x00-\x1f]$", "\n", False),
        (r"^[^\x00]$", "\n", True),
        (r"^\w$", "é", False),
        (r"^[\w.-]+@[\w.-]+\.\w{2,}$", "a.b@c.org", True),
    ],
)
def test_patterns_mean_what_they_mean_elsewhere(pattern, text, fits):
    schema = read_schema(json.dumps({"type": "string", "pattern": pattern}), "x")
    assert lets_through(schema, json.dumps(text, ensure_ascii=False)) == fits


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)b", "looking ahead"),
        ("(?<!a)b", "looking ahead"),
        (r"(a)\1", "references to groups"),
        (r"\bfoo", "word boundaries"),
        ("(?i)a", "flags"),
        ("(?i:a)", "flags"),
        ("[", "unterminated"),
        ("a**", "multiple repeat"),
        (r"\p{L}", "bad escape"),
        (r"\cJ", "bad escape"),
        ("a++", "possessive"),
        ("(?>a)", "atomic"),
        (r"\x00", r"U\+0000"),
        (r"[\x7f]", r"U\+007F"),
        ("(" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_followed_is_said(pattern, reason):
    with pytest.raises(UnsupportedPatternError, match=reason):
        common_pattern(pattern)
