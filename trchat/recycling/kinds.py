"""Kinds of guesses: which sources propose a token, and how surely each of them does.

A kind is one number, the sum of a level per source times that source's stride, so guesses on which sources
agree are a kind of their own. Level 0 of every source means that it has nothing to say about the token.
"""

from bisect import bisect_right
from functools import cache
from math import prod

from trchat.recycling.packing import probability

SOURCES = ("1-token rows", "2-token rows", "3-token rows", "gap rows", "suffix", "recent", "earlier texts")
ROWS1, ROWS2, ROWS3, GAP, SUFFIX, RECENT, EARLIER = range(len(SOURCES))
FILLER = "filler"
"""What a token is called that no source proposes (kind 0): it is drafted to fill a width up."""

_ROW_EDGES = (0.02, 0.08, 0.25, 0.55, 0.85)
_LENGTH_EDGES = (2, 3, 4, 6, 10, 17)
_LENGTHS = 1 + len(_LENGTH_EDGES)
_EARLIER_EDGES = (4, 6, 10, 17, 32)
RECENT_EDGES = (0.1, 0.3, 0.8)
"""Weights from which a token that was lately considered is of the next level."""

ALONE, UNITED, DIVIDED, OPPOSED = range(4)
"""What other places that the text's end matches say of the best one's successor: there is none, all agree,
some agree, none agrees."""
_OTHER_SHORT = 1 + 4 * _LENGTHS
_PASSED_OVER = _OTHER_SHORT + 2

_ROW_PRIORS = (0.01, 0.035, 0.1, 0.3, 0.55, 0.75)
_LENGTH_PRIORS = (
    *(0.2, 0.45, 0.6, 0.65, 0.75, 0.85, 0.92),
    *(0.4, 0.55, 0.65, 0.75, 0.8, 0.85, 0.95),
    *(0.15, 0.35, 0.45, 0.5, 0.65, 0.8, 0.88),
    *(0.12, 0.28, 0.43, 0.5, 0.57, 0.62, 0.8),
)
PRIORS = (
    *[(0.0, *_ROW_PRIORS)] * 4,
    (0.0, *_LENGTH_PRIORS, 0.12, 0.17, 0.04, 0.02, 0.01),
    (0.0, 0.1, 0.12, 0.14, 0.1),
    (0.0, 0.2, 0.3, 0.45, 0.65, 0.8, 0.95),
)
"""Hit rates to begin with, per source and level, about as the demo model's answers to the built-in questions
left them; a model's own take over within an answer."""

SIZES = tuple(len(prior) for prior in PRIORS)
STRIDES = tuple(prod(SIZES[:source]) for source in range(len(SIZES)))


@cache
def row_levels() -> tuple[int, ...]:
    """Level of a row's candidate by its 8-bit probability step (256 entries): 1 to 6."""
    return (0, *(1 + sum(probability(step) >= edge for edge in _ROW_EDGES) for step in range(1, 256)))


def suffix_level(length: int, others: int) -> int:
    """Level of what follows the longest match, by its length in tokens and what ``others`` say."""
    return 1 + others * _LENGTHS + sum(length >= edge for edge in _LENGTH_EDGES)


def other_suffix_level(length: int) -> int:
    """Level of a match that goes on differently from the longest one."""
    return _OTHER_SHORT + (length > 3)


def passed_over_level(length: int) -> int:
    """Level of a guess that the longest match speaks against, by that match's length."""
    return _PASSED_OVER + (length >= 3) + (length >= 6)


def earlier_level(length: int) -> int:
    """Level of what an earlier text went on with, by the length of the match in tokens."""
    return 1 + bisect_right(_EARLIER_EDGES, length)


def recent_level(weight: float) -> int:
    """Level of a token that the model lately considered and did not say, by the weight it gathered."""
    return 1 + bisect_right(RECENT_EDGES, weight)


def levels(kind: int) -> list[int]:
    """The level of each source."""
    return [kind // stride % size for stride, size in zip(STRIDES, SIZES, strict=True)]


def layout() -> str:
    """All that gives a kind its meaning; counts that were kept under another layout mean something else."""
    facts = {name: value for name, value in globals().items() if isinstance(value, (int, float, tuple))}
    return repr(sorted(facts.items()))


@cache
def main_source(kind: int) -> str:
    """The name of the surest of a kind's sources: that with the highest hit rate to begin with."""
    if not kind:
        return FILLER
    found = levels(kind)
    surest = max(range(len(found)), key=lambda source: (PRIORS[source][found[source]], source))
    return SOURCES[surest]
