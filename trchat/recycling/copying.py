"""Drafting that costs next to nothing: the text goes on as it did where it stood before."""

from bisect import bisect_right
from typing import Protocol

import numpy as np

from trchat.recycling.cost import LADDER, Costs
from trchat.recycling.drafter import Verified
from trchat.recycling.kinds import ALONE, STRIDES, SUFFIX, suffix_level
from trchat.recycling.suffix import Match
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

_LENGTHS = (5, 8, 12, 18, 24)  # tokens that must have stood there before, and
_RIGHT = (0.7, 0.8, 0.86, 0.9, 0.93)  # how often a copy after as many is right, to begin with
_MEMORY = 24.0  # copied tokens that what was seen is weighed against
_MARGIN = 1.1  # of plain decoding's pace, to be worth a try


class Text(Protocol):
    """A text that knows where its end stood before."""

    @property
    def tokens(self) -> list[int]: ...  # noqa: D102

    def longest(self) -> Match | None: ...  # noqa: D102


class Copying:
    """Chains copied from earlier in the text, while the rest of drafting sleeps.

    Where a text repeats itself or what it was given, long drafts are nearly always right, and pay on machines
    where nothing else does. Looking for them takes microseconds a step, and nothing is learned but how often
    they are right.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._right = list(_RIGHT)
        self._kind = 0  # of the match: how many of the lengths it reaches
        self._next = 0  # what a copy says comes next

    def draft(self, text: Text, room: int, n_forced: int = 1) -> DraftTree:
        """A chain of at most ``room`` tokens, where the text's end has stood before and copying pays.

        The batch will also hold ``n_forced`` tokens that are known already.
        """
        found = text.longest()
        self._kind = bisect_right(_LENGTHS, found[1]) if found else 0
        if found is None or not self._kind:
            return EMPTY_TREE
        place, length = found
        self._next = text.tokens[place]
        right = self._right[self._kind - 1]
        n = self.width(right, room + n_forced) - n_forced
        if n < 1:
            return EMPTY_TREE
        copied = text.tokens[place : place + n]
        while len(copied) < n:  # the text repeats what it is just saying
            copied += copied[: n - len(copied)]
        return DraftTree(
            np.array(copied, np.int32),
            np.arange(ROOT, n - 1, dtype=np.int32),
            [right**depth for depth in range(1, n + 1)],
            [suffix_level(length, ALONE) * STRIDES[SUFFIX]] * n,
        )

    def width(self, right: float, widest: int) -> int:
        """The best width of a batch whose tokens are ``right`` so often; 1 where copying does not pay.

        A chain of w tokens brings 1 + p + p^2 + ... + p^(w-1). Going to its width and back is paid once for
        as many steps as copying is likely to go on.
        """
        plain_ms = self._costs.plain_ms
        if plain_ms is None:
            return 1
        best, best_pace = 1, _MARGIN / plain_ms
        for width in LADDER:
            if 1 < width <= widest:
                tokens = (1 - right**width) / (1 - right)
                ends = 1 - right ** (width - 1)
                pace = tokens / (self._costs.of(width) + 2 * self._costs.change_ms * ends)
                if pace > best_pace:
                    best, best_pace = width, pace
        return best

    def learn(self, verified: Verified) -> None:
        """See whether the copy was right, drafted or not."""
        if not self._kind:
            return
        if len(verified.tree):
            hits, misses = len(verified.path), int(len(verified.path) < len(verified.tree))
        else:
            hits = int(verified.emitted[0] == self._next)
            misses = 1 - hits
        right = (self._right[self._kind - 1] * _MEMORY + hits) / (_MEMORY + hits + misses)
        self._right[self._kind - 1] = min(max(right, 0.01), 0.99)
