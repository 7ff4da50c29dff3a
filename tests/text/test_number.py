"""Numbers that people type."""

import pytest

from trchat.text.number import whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("007", 7),
        ("", None),
        ("-1", None),
        ("1.0", None),
        ("²", None),
        ("1_000", None),
        ("9" * 5000, 10**1000 - 1),
    ],
)
def test_digits_are_a_number_and_nothing_else_is(text, number):
    assert whole_number(text) == number
