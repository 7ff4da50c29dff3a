"""Where the end of the text stood before: the longest match and what followed it."""

from collections.abc import Sequence

LONGEST_CHECKED = 24
"""Tokens back that a match is followed."""

REMEMBERED = 8
"""Places of each n-gram."""

_BITS = 24  # per token id in an n-gram's key

Match = tuple[int, int]
"""(position of the token that followed, length of the match in tokens)."""


class SuffixIndex:
    """A growing text (prompt and answer) and the latest places of each of its n-grams (n = 1 to 3).

    Extending by a token and asking for matches cost the same at any length of the text.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._places: tuple[dict[int, list[int]], ...] = ({}, {}, {})

    def extend(self, tokens: Sequence[int]) -> None:
        """Append tokens."""
        text = self.tokens
        for token in tokens:
            # The n-grams that end in the last token so far become known now that they have a successor.
            key = 0
            for back, places in enumerate(self._places[: len(text)]):
                key |= text[-1 - back] << (_BITS * back)
                known = places.setdefault(key, [])
                known.append(len(text))
                if len(known) > REMEMBERED:
                    del known[0]
            text.append(token)

    def context(self) -> tuple[int, int, int]:
        """The last token, the one before and the third last; -1 before the beginning."""
        text = self.tokens
        return text[-1] if text else -1, text[-2] if len(text) > 1 else -1, text[-3] if len(text) > 2 else -1

    def matches(self) -> list[Match]:
        """Places that the text's end matches, longest first, then latest; at most a few dozen."""
        threes, twos, ones = self._known(*self.context())
        found = [(place, self._length(place)) for place in reversed(threes)]
        found.sort(key=lambda match: -match[1])
        seen = set(threes)
        for length, places in ((2, twos), (1, ones)):
            found += [(place, length) for place in reversed(places) if place not in seen]
            seen.update(places)
        return found

    def after(self, last: int, second: int, third: int) -> Match | None:
        """The latest place of the longest known n-gram (3 down to 1) that ends in these tokens."""
        for length, places in zip((3, 2, 1), self._known(last, second, third), strict=True):
            if places:
                return places[-1], length
        return None

    def _known(self, last: int, second: int, third: int) -> tuple[list[int], list[int], list[int]]:
        ones, twos, threes = self._places
        one = ones.get(last, [])
        if not one or second < 0:
            return [], [], one
        key = last | second << _BITS
        two = twos.get(key, [])
        if not two or third < 0:
            return [], two, one
        return threes.get(key | third << 2 * _BITS, []), two, one

    def _length(self, place: int) -> int:
        text, end, length = self.tokens, len(self.tokens), 3
        most = min(LONGEST_CHECKED, place)
        while length < most and text[place - 1 - length] == text[end - 1 - length]:
            length += 1
        return length
