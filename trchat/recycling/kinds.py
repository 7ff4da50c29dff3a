"""Kinds of guesses: which sources propose a token, and how surely each of them does.

A kind is one number, the sum of a level per source times that source's stride, so guesses on which sources
agree are a kind of their own. Level 0 of every source means that it does not propose the token.
"""

from trchat.recycling.candidates import probability

N_ROW = 7
"""Levels of a candidate row: 1 to 6 by the probability the model gave the token."""
N_SUFFIX = 10
"""Levels of a suffix match: 1 to 7 by its length; 8, 9 = another place that goes on differently."""
N_SIBLING = 4
"""Levels of what followed rejected siblings: 1 to 3 by weight."""

ONE = 1
TWO = ONE * N_ROW
THREE = TWO * N_ROW
SUFFIX = THREE * N_ROW
SIBLING = SUFFIX * N_SUFFIX
N_KINDS = SIBLING * N_SIBLING

STRIDES = (ONE, TWO, THREE, SUFFIX, SIBLING)
SIZES = (N_ROW, N_ROW, N_ROW, N_SUFFIX, N_SIBLING)
SOURCES = ("1-token rows", "2-token rows", "3-token rows", "suffix", "siblings")

_ROW_EDGES = (0.02, 0.08, 0.25, 0.55, 0.85)
_SUFFIX_EDGES = (2, 3, 4, 6, 10, 17)
_SIBLING_EDGES = (0.02, 0.1, 0.3)


def row_levels() -> list[int]:
    """Level of a row's candidate by its 8-bit probability step (256 entries)."""
    return [0] + [1 + sum(probability(step) >= edge for edge in _ROW_EDGES) for step in range(1, 256)]


def suffix_level(length: int) -> int:
    """Level of the longest match, by its length in tokens."""
    level = 1
    for edge in _SUFFIX_EDGES:
        level += length >= edge
    return level


def other_suffix_level(length: int) -> int:
    """Level of a match that goes on differently from the longest one."""
    return 8 if length <= 3 else 9


def sibling_level(weight: float) -> int:
    """Level of a hint from rejected siblings; 0 = too weak to count."""
    return sum(weight >= edge for edge in _SIBLING_EDGES)


PRIORS = (
    (0.0, 0.006, 0.02, 0.07, 0.2, 0.4, 0.75),
    (0.0, 0.006, 0.02, 0.07, 0.2, 0.4, 0.75),
    (0.0, 0.006, 0.02, 0.07, 0.2, 0.4, 0.75),
    (0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.85, 0.08, 0.2),
    (0.0, 0.02, 0.08, 0.25),
)
"""Hit rates to begin with, per source and level; learned ones take over within an answer."""


def layout() -> str:
    """All that gives a kind its meaning; counts that were kept under another layout mean something else."""
    facts = {name: value for name, value in globals().items() if isinstance(value, (int, float, tuple))}
    return repr(sorted(facts.items()))


def main_source(kind: int) -> str:
    """The name of the surest of a kind's sources: that with the highest hit rate to begin with."""
    levels = [kind // stride % size for stride, size in zip(STRIDES, SIZES, strict=True)]
    surest = max(range(len(levels)), key=lambda source: (PRIORS[source][levels[source]], source))
    return SOURCES[surest]
