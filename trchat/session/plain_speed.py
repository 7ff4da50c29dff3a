"""How much faster than plain decoding an answer is, told from the answer itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trchat.decoding.step import Step

ENOUGH_TOKENS = 50
"""What a shorter answer took says more about its first steps than about its speed."""
ENOUGH_STEPS = 6
"""Plain steps before their mean stands for plain decoding: one that was held up must not decide it."""


class PlainSpeed:
    """What plain decoding takes, from the steps of one answer for which nothing was guessed."""

    def __init__(self) -> None:
        self._steps = 0
        self._seconds = 0.0
        self._tokens = 0
        self._all_seconds = 0.0
        self._all_steps = 0
        self._drafted = False

    def add(self, step: "Step") -> None:
        """Take in one step."""
        self._all_steps += 1
        self._tokens += len(step.tokens)
        self._all_seconds += step.seconds
        self._drafted = self._drafted or step.drafted > 0
        if step.width == 1 and not step.drafted:
            self._steps += 1
            # Guessing and learning is not part of plain decoding; waiting for a GPU is.
            self._seconds += step.seconds - step.draft_s - step.learn_s

    def ratio(self, plain_ms: float | None = None) -> float | None:
        """How many times as fast as plain decoding the answer is so far; None while that is not known.

        ``plain_ms`` is what a step of one token is known to take at this length of context; it stands in
        where too few were taken. As plain decoding needs a step for each token and a step with guesses is no
        shorter than one without, the ratio cannot be above the tokens per step: what is, is noise.
        """
        if not self._drafted or self._tokens < ENOUGH_TOKENS or self._all_seconds <= 0:
            return None
        if self._steps >= ENOUGH_STEPS:
            plain_s = self._seconds / self._steps
        elif plain_ms is not None:
            plain_s = plain_ms / 1000
        else:
            return None
        return min(plain_s * self._tokens / self._all_seconds, self._tokens / self._all_steps)
