"""Where the end of the text stood before, in it or in an earlier one, and what followed it there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST_CHECKED = 24
"""Tokens back that a match is followed."""

REMEMBERED = 8
"""Places of each n-gram."""

_BITS = 24  # per token id in an n-gram's key

MOST_EARLIER = 1 << 16
"""Tokens of earlier texts that are kept: some hundred answers. With their index they take 2 MB."""

Match = tuple[int, int]
"""(position of the token that followed, length of the match in tokens); in earlier texts ~position."""

Context = tuple[int, int, int]
"""The last token, the one before and the third last; -1 = before the text's beginning."""

_GAP = -1  # between two texts


class EarlierTexts:
    """Texts that are over, the oldest of which go, and where each three tokens stood in them."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._places: dict[Context, list[int]] = {}

    def clear(self) -> None:
        """Forget them."""
        self.tokens, self._places = [], {}

    def add(self, text: Sequence[int]) -> None:
        """Append a text; where there is no room left for it, the older half goes."""
        text = text[-MOST_EARLIER // 2 :]
        if len(self.tokens) + len(text) >= MOST_EARLIER:
            kept = self.tokens[-MOST_EARLIER // 2 :]
            self.clear()
            self._append(kept)
        self._append([_GAP, *text])

    def _append(self, tokens: Sequence[int]) -> None:
        known = self.tokens
        for token in tokens:
            gram = (known[-1], known[-2], known[-3]) if len(known) >= 3 else (_GAP, _GAP, _GAP)
            if token != _GAP and _GAP not in gram:
                places = self._places.setdefault(gram, [])
                places.append(len(known))
                if len(places) > REMEMBERED:
                    del places[0]
            known.append(token)

    def longest(self, text: Sequence[int]) -> Match | None:
        """The place that the end of ``text`` matches longest, of several the latest."""
        best = None
        for place in reversed(self._places.get((text[-1], text[-2], text[-3]), [])) if len(text) > 2 else ():
            length = _length(self.tokens, place, text)
            if best is None or length > best[1]:
                best = ~place, length
        return best

    def below(self, matches: Sequence[Match], token: int) -> Match | None:
        """Where the match among ``matches`` that is here went on to ``token``, and then to something else."""
        known = self.tokens
        for place, length in matches:
            if place < 0 and known[~place] == token and ~place + 1 < len(known) and known[~place + 1] != _GAP:
                return place - 1, length + 1
        return None

    def after(self, context: Context) -> Match | None:
        """The latest place of these three tokens."""
        places = self._places.get(context)
        return (~places[-1], 3) if places else None


class SuffixIndex:
    """A growing text (prompt and answer) and the latest places of each of its n-grams (n = 1 to 3).

    Extending by a token and asking for matches cost the same at any length of the text.
    """

    def __init__(self, earlier: EarlierTexts | None = None) -> None:
        self.tokens: list[int] = []
        self._earlier = earlier or EarlierTexts()
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

    def context(self) -> Context:
        """The last token, the one before and the third last; -1 before the beginning."""
        text = self.tokens
        return text[-1] if text else -1, text[-2] if len(text) > 1 else -1, text[-3] if len(text) > 2 else -1

    def matches(self) -> list[Match]:
        """Places that the text's end matches, longest first, then latest; at most a few dozen.

        Then one in earlier texts, if it matches longer than any of them.
        """
        threes, twos, ones = self._known(*self.context())
        found = [(place, _length(self.tokens, place, self.tokens)) for place in reversed(threes)]
        found.sort(key=lambda match: -match[1])
        seen = set(threes)
        for length, places in ((2, twos), (1, ones)):
            found += [(place, length) for place in reversed(places) if place not in seen]
            seen.update(places)
        return found + self._longer(found, self._earlier.longest(self.tokens))

    def below(self, matches: Sequence[Match], context: Context) -> list[Match]:
        """What is left of ``matches`` after going on to ``context``; else a short one of these tokens."""
        text, end, token = self.tokens, len(self.tokens), context[0]
        own = [
            (place + 1, length + 1)
            for place, length in matches
            if 0 <= place < end - 1 and text[place] == token
        ] or self._after(context)
        return own + self._longer(own, self._earlier.below(matches, token) or self._earlier.after(context))

    def after(self, context: Context) -> list[Match]:
        """The latest place of the longest known n-gram (3 down to 1) that ends in these tokens."""
        own = self._after(context)
        return own + self._longer(own, self._earlier.after(context))

    def follows(self, match: Match) -> int:
        """The token that followed."""
        place, _ = match
        return self.tokens[place] if place >= 0 else self._earlier.tokens[~place]

    @staticmethod
    def _longer(own: Sequence[Match], earlier: Match | None) -> list[Match]:
        return [earlier] if earlier and (not own or earlier[1] > own[0][1]) else []

    def _after(self, context: Context) -> list[Match]:
        for length, places in zip((3, 2, 1), self._known(*context), strict=True):
            if places:
                return [(places[-1], length)]
        return []

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


def _length(known: Sequence[int], place: int, text: Sequence[int]) -> int:
    """How many tokens before ``place``, three at least, are those that ``text`` ends with."""
    length, most = 3, min(LONGEST_CHECKED, place, len(text))
    while length < most and known[place - 1 - length] == text[-1 - length]:
        length += 1
    return length


LONGEST, SHORTEST = 3, 1


class NgramIndex:
    """Where each n-gram of a growing text stood first; extending and asking cost the same at any length."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}

    def extend(self, tokens: Sequence[int]) -> None:
        """Append tokens to the text."""
        for token in tokens:
            # The n-grams that end in the last token so far become known now that they have a successor.
            end = len(self.tokens)
            for length in range(SHORTEST, LONGEST + 1):
                if length <= end:
                    self._after.setdefault(tuple(self.tokens[end - length :]), end)
            self.tokens.append(token)

    def continuation(self, n_tokens: int) -> NDArray[np.int32]:
        """Up to ``n_tokens`` that followed the longest n-gram (3 to 1) that the text ends in; int32 (n,)."""
        for length in range(min(LONGEST, len(self.tokens)), SHORTEST - 1, -1):
            start = self._after.get(tuple(self.tokens[-length:]))
            if start is not None:
                return np.array(self.tokens[start : start + n_tokens], np.int32)
        return np.zeros(0, np.int32)
