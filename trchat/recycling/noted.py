"""Steps without drafts, noted until several of them can be learned in one go."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.sources import Context, Guesses

AT_ONCE = 8
"""Steps that are learned together: numpy's price is per call, and more so between the steps of a model."""


@dataclass(frozen=True, slots=True)
class NotedStep:
    """Where the text stood, what was guessed there, and the token that came."""

    context: Context
    guesses: Guesses
    token: int


class NotedSteps:
    """Up to AT_ONCE steps of one token, with the model's logits.

    What they teach is seldom needed at once: there are no rejected guesses among them, and their contexts
    hardly come back within a few tokens. What the model lately considered comes late, too; it brings little.
    """

    def __init__(self) -> None:
        self.steps: list[NotedStep] = []
        self._rows = np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def rows(self) -> NDArray[np.float32]:
        """Their logits; (steps, n_vocab)."""
        return self._rows[: len(self.steps)]

    def add(self, step: NotedStep, row: NDArray[np.float32]) -> None:
        """Note one more, of the logits ``row`` (n_vocab,), which are copied."""
        if self._rows.shape[1] != len(row):
            self._rows = np.empty((AT_ONCE, len(row)), np.float32)
        self._rows[len(self.steps)] = row
        self.steps.append(step)

    def clear(self) -> None:
        """Forget them: they were learned."""
        self.steps.clear()
