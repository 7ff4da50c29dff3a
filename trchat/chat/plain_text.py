"""Keeps what people write from being read as the template's own words.

A special token is special by its spelling: tokenised as it is, a text with ``<|im_end|>`` in it would end the
turn. So before a text goes into the template, every such spelling in it is broken up by a mark, a character
that occurs nowhere in the conversation; after tokenising, the mark's tokens are taken out again. What is left
of the spelling is plain text, letter for letter. Texts without such spellings are not touched.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence

MARKS = tuple(chr(code) for code in range(0xFDD0, 0xFDF0))
"""Noncharacters: Unicode reserves them for use inside programs."""
PLAIN_MARK = " "
"""The last resort: stays in the text, and breaks a spelling for certain."""

_BRACKETED = re.compile(r"<<?[^<>\s{}%'\"]{1,40}>>?|\[/?[A-Z][A-Z0-9_ ]{1,20}\]")
_LABEL = re.compile(r"^\W{0,4}\w[\w ]{2,30}:$")
_SHORTEST = 3


def looks_like_a_marker(text: str) -> bool:
    """Whether a token's spelling is one of a mark-up (``<think>``, ``[INST]``), not of ordinary text.

    Vocabularies also define runs of blanks, digits and the like as tokens of their own kind.
    """
    return _BRACKETED.fullmatch(text) is not None


def markers_in(source: str, rendered: str, contents: Collection[str]) -> set[str]:
    """The mark-up a template writes: bracketed words in its source, and in a prompt it made of ``contents``.

    Lines around the contents that end in a colon count too (``USER:``, ``### Instruction:``).
    """
    found = {match.group() for text in (source, rendered) for match in _BRACKETED.finditer(text)}
    for glue in re.split("|".join(map(re.escape, contents)), rendered):
        found.update(line for line in map(str.strip, glue.splitlines()) if _LABEL.match(line))
    return {marker for marker in found if len(marker) >= _SHORTEST}


class PlainText:
    """Breaks up what must not be read as mark-up.

    ``tokens`` are the spellings of special tokens: one break makes them plain. ``markers`` are words that
    the template spells out in ordinary tokens (Llama 2's ``[INST]``): they are broken between all letters,
    so that at least their token ids differ from the template's.
    """

    def __init__(self, tokens: Iterable[str], markers: Iterable[str]) -> None:
        self.tokens = frozenset(token for token in tokens if len(token) > 1)
        self.markers = frozenset(markers) - self.tokens
        self._spelling = _any_of(self.tokens)
        self._marker = _any_of(self.markers)
        # Two texts side by side must not make up a spelling between them.
        long = [token for token in self.tokens if len(token) >= _SHORTEST]
        self._heads = frozenset(token[:end] for token in long for end in range(2, len(token)))
        self._tails = frozenset(token[start:] for token in long for start in range(1, len(token) - 1))
        self._longest = max(map(len, self.tokens), default=0)

    def is_clean(self, text: str) -> bool:
        """Whether ``text`` can be left as it is."""
        return self.break_up(text, PLAIN_MARK) == text

    def break_up(self, text: str, mark: str) -> str:
        """``text`` with ``mark`` inside every spelling that would be read as mark-up."""
        text = self._marker.sub(lambda match: mark.join(match.group()), text)
        # Again: what follows a break may begin another spelling, but each time at least a letter further on.
        # Counted, since some cannot be broken: " x" is " x" with any number of blanks before it.
        for _ in range(self._longest):
            broken = self._spelling.sub(lambda match: _break_one(match.group(), mark), text)
            if broken == text:
                break
            text = broken
        core = text.strip()  # many templates strip
        start = text.find(core) if core else 0
        for length in range(min(self._longest, len(core)), 1, -1):
            if core[-length:] in self._heads:
                at = start + len(core) - length + 1
                text = text[:at] + mark + text[at:]
                break
        for length in range(min(self._longest, len(core)), 1, -1):
            if core[:length] in self._tails:
                return text[: start + 1] + mark + text[start + 1 :]
        return text


def free_mark(texts: Collection[str]) -> str | None:
    """A mark that occurs in none of ``texts``; None when somebody has used them all up."""
    return next((mark for mark in MARKS if not any(mark in text for text in texts)), None)


def without_mark(
    ids: Sequence[int], mark: str, count: int, tokenize: Callable[[str], list[int]]
) -> list[int] | None:
    """``ids`` without the tokens of ``mark``, which must be in there ``count`` times; None when they are not.

    That happens where a vocabulary cannot spell the mark, or spells it differently from place to place.
    """
    before, once, twice = tokenize("<"), tokenize(f"<{mark}>"), tokenize(f"<{mark}{mark}>")
    size = len(twice) - len(once)
    spelled = once[len(before) : len(before) + size]
    if size < 1 or twice != [*before, *spelled, *spelled, *once[len(before) + size :]]:
        return None
    kept: list[int] = []
    found = place = 0
    while place < len(ids):
        if ids[place] == spelled[0] and list(ids[place : place + size]) == spelled:
            found += 1
            place += size
        else:
            kept.append(ids[place])
            place += 1
    return kept if found == count else None


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _break_one(spelling: str, mark: str) -> str:
    return spelling[0] + mark + spelling[1:]
