"""What a bench measures."""

from collections.abc import Sequence
from dataclasses import dataclass

from trchat.bench.curves import CostCurve
from trchat.bench.questions import Question
from trchat.bench.variants import Variant

DEFAULT_MAX_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        variants: what is compared, in this order.
        questions: what is asked of each, and ``asked``, what the report calls them.
        all_turns: whether all their turns are asked or the first ones only.
        max_tokens: longest answer, in tokens.
        warm: what is asked before, of the variants that are hot; ``warmed_by`` is what the report calls it.
        width: tokens in each batch of ``auto``, the root included; None = as it chooses.
        curve: step times of another machine, for ``auto`` to choose by.
        hot: whether all start from what the user's own sessions have taught.
        depth: tokens of conversation before each question.
        anew: whether each question is asked in a session of its own: what one answer teaches does not help
            the next. Else what is learned carries over, as within one session.
    """

    variants: Sequence[Variant]
    questions: Sequence[Question]
    asked: str = "built-in"
    all_turns: bool = False
    max_tokens: int = DEFAULT_MAX_TOKENS
    warm: Sequence[Question] = ()
    warmed_by: str = ""
    width: int | None = None
    curve: CostCurve | None = None
    hot: bool = False
    depth: int = 0
    anew: bool = False

    @property
    def answers(self) -> int:
        """How many answers it takes, those that warm included."""
        turns = sum(len(question.turns) if self.all_turns else 1 for question in self.questions)
        return turns * len(self.variants) + len(self.warm) * sum(variant.hot for variant in self.variants)
