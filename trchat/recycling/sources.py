"""The sources of guesses, each a small class behind one interface.

A source looks at where the text stands (or would stand, below a guess) and adds its level to the kind of
each token that it has something to say about. To add one: give it a name, sizes and priors in
trchat.recycling.kinds, a class here, and a line in ``all_sources``.
"""

from collections.abc import Container, Sequence
from typing import Protocol

from trchat.recycling.candidates import CandidateTables
from trchat.recycling.kinds import (
    ALONE,
    DIVIDED,
    EARLIER,
    OPPOSED,
    ROWS1,
    STRIDES,
    SUFFIX,
    UNITED,
    earlier_level,
    other_suffix_level,
    passed_over_level,
    row_levels,
    suffix_level,
)
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.recent import RecentCandidates
from trchat.recycling.suffix import Context, Match, SuffixIndex

Guesses = dict[int, int]
"""Guessed token -> kind of guess."""

_LONG = 64  # longer matches than this are of one level


class Source(Protocol):
    """Proposes tokens."""

    parts: tuple[str, ...]
    """What can be left out of it, or all of it, to measure what that brings."""

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """Add its level, times its stride, to the kind of each token it knows of after ``context``.

        ``matches`` are places that the context equals, in the text, best first, then in an earlier one.
        """


def row_kinds(table: int) -> list[int]:
    """What a candidate of the ``table``-th rows adds to a kind, by its 8-bit probability step."""
    return [level * STRIDES[ROWS1 + table] for level in row_levels()]


def earlier_kinds() -> list[int]:
    """What a match in an earlier text adds to a kind, by its length in tokens."""
    return [earlier_level(length) * STRIDES[EARLIER] for length in range(_LONG)]


def suffix_kinds() -> list[list[int]]:
    """What a match adds to a kind, by its length in tokens.

    One list for what followed the best match by what others say (ALONE to OPPOSED), one for what followed the
    next best that differs, one for guesses that the best speaks against.
    """
    stride, lengths = STRIDES[SUFFIX], range(_LONG)
    return [
        *(
            [suffix_level(length, others) * stride for length in lengths]
            for others in (ALONE, UNITED, DIVIDED, OPPOSED)
        ),
        [other_suffix_level(length) * stride for length in lengths],
        [passed_over_level(length) * stride for length in lengths],
    ]


class RowSource:
    """Candidates that the model itself computed after the same tokens, earlier."""

    def __init__(self, rows: CandidateTables, without: Container[str] = ()) -> None:
        """``without`` names tables to leave out."""
        self.parts = tuple(shape.name for shape in rows.shapes)
        self._find = rows.find
        self._kinds = [
            None if shape.name in without else row_kinds(number) for number, shape in enumerate(rows.shapes)
        ]

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """All candidates of the rows, by their probability."""
        for row, kinds in zip(self._find(context), self._kinds, strict=True):
            if kinds is None:
                continue
            for packed in row:
                if packed:
                    token = packed >> 8
                    guesses[token] = guesses.get(token, 0) + kinds[packed & 255]


class SuffixSource:
    """What followed the end of the text the last times it stood there."""

    parts: tuple[str, ...] = ("suffix",)

    def __init__(self, text: SuffixIndex) -> None:
        self._follows = text.follows
        *self._first, self._other, self._passed_over = suffix_kinds()

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """What followed the best match, and the next best that differs; all other guesses are passed over."""
        own = [match for match in matches if match[0] >= 0]
        if not own:
            return
        first, length = self._follows(own[0]), own[0][1]
        same, other = 0, None
        for match in own[1:]:
            if self._follows(match) == first:
                same += 1
            elif other is None:
                other = (self._follows(match), match[1])
        others = len(own) - 1
        say = ALONE if not others else UNITED if same == others else DIVIDED if same else OPPOSED
        proposed = {first: self._first[say][min(length, _LONG - 1)]}
        if other is not None:
            token, shorter = other
            proposed[token] = self._other[min(shorter, _LONG - 1)]
        passed_over = self._passed_over[min(length, _LONG - 1)]
        for token in guesses:
            if token not in proposed:
                guesses[token] += passed_over
        for token, kind in proposed.items():
            guesses[token] = guesses.get(token, 0) + kind


class EarlierSource:
    """What an earlier text went on with, where it equals this one's end for longer than this one itself."""

    parts: tuple[str, ...] = ("earlier",)

    def __init__(self, text: SuffixIndex) -> None:
        self._follows = text.follows
        self._kinds = earlier_kinds()

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """Its one guess."""
        for match in matches:
            if match[0] < 0:
                token = self._follows(match)
                guesses[token] = guesses.get(token, 0) + self._kinds[min(match[1], _LONG - 1)]


class RecentSource:
    """Favours guesses that were among the model's candidates for one of the last few tokens."""

    parts: tuple[str, ...] = ("recent",)

    def __init__(self, recent: RecentCandidates) -> None:
        self._recent = recent

    def add(self, guesses: Guesses, context: Context, matches: Sequence[Match]) -> None:
        """Add to what others have guessed; on its own it would guess too much."""
        kind = self._recent.kind
        for token in guesses.keys() & self._recent.tokens:
            guesses[token] += kind(token)


def all_sources(
    knowledge: Knowledge, text: SuffixIndex, recent: RecentCandidates, without: Container[str] = ()
) -> list[Source]:
    """Every source but those named in ``without``, in the order in which they are asked."""
    sources: list[Source] = [
        RowSource(knowledge.rows, without),
        SuffixSource(text),
        EarlierSource(text),
        RecentSource(recent),
    ]
    return [source for source in sources if not all(part in without for part in source.parts)]
