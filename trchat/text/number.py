"""Numbers as people type them where words may stand as well."""

MOST_DIGITS = 1000
"""Python refuses to read some thousands; a number of as many as these is too large for anything, too."""


def whole_number(text: str) -> int | None:
    """The number that decimal digits (at most the first 1,000) spell; None where there is anything else."""
    # Not isdigit(): "²" is a digit to that, and none to int().
    return int(text[:MOST_DIGITS]) if text.isdecimal() else None
