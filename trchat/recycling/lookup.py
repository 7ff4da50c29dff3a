"""Prompt lookup: what followed the same few tokens earlier in the text (Saxena 2023, as in Spec-Bench)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
