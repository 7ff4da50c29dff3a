"""Numbers as people type them where words may stand as well."""

LARGEST = 10**18
"""More than there is of anything; what is larger is taken for this."""


def whole_number(text: str) -> int | None:
    """The number from 0 that ``text`` is in decimal digits; None where it is something else."""
    # Not isdigit(): "²" is a digit to that, and none to int().
    if not text.isdecimal():
        return None
    return int(text) if len(text) < len(str(LARGEST)) else LARGEST
