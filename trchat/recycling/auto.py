"""The ``auto`` drafter: all sources in one tree, as wide as pays at this step."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.candidates import CONTEXT
from trchat.recycling.chains import ChainProposer
from trchat.recycling.cost import LADDER, Costs, StepCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.proposer import Proposer, make_proposer
from trchat.recycling.topk import SAMPLED
from trchat.recycling.tree import EMPTY_TREE, DraftTree
from trchat.recycling.width import WidthChoice

_LABELS_AT_ONCE = 96  # some steps': what learning them costs is mostly the same for one as for a hundred

_Took = tuple[float, float, float]
"""Seconds: drafting for a step, the step itself, and learning from it, which is a part of it."""


class AutoDrafter:
    """Drafts what is worth its time, from everything that the model and the text have shown.

    Every step teaches, drafted or not.

    Attributes:
        knowledge: what carries over between texts; outlives the drafter.
        costs: the machine's step times; outlives the drafter too.
    """

    mode = "auto"

    def __init__(
        self,
        knowledge: Knowledge,
        costs: Costs | None = None,
        width: int | None = None,
        without: frozenset[str] = frozenset(),
        *,
        chains: bool = False,
    ) -> None:
        """``width`` fixes the tree at so many tokens, root included, instead of choosing by cost.

        ``without`` leaves parts out to measure what they bring: sources by name, or ``calibration``. With
        ``chains`` no draft branches.
        """
        self.knowledge = knowledge
        self.costs: Costs = costs or StepCosts()
        self._width = width
        self._choice = WidthChoice(self.costs)
        self._without = without
        proposer = make_proposer(knowledge, without)
        self._proposer: Proposer = ChainProposer(proposer) if chains else proposer
        self._answer_at = 0  # where in the text the answer begins
        self._drafted: tuple[float, float] | None = None  # when the step under way was drafted for: from, to
        self._put_off: tuple[Verified, NDArray[np.float32], _Took | None] | None = None  # with a sample

    @property
    def rows_learned(self) -> int:
        """Rows of candidates over all tables."""
        return self.knowledge.rows_learned

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer.

        The answer before may be given again, to an edited question or by another seed.
        """
        self.settle()
        self._drafted = None
        self.costs.begin()
        self._choice.begin()
        before = self._proposer.tokens
        if len(before) > self._answer_at:
            self.remember(before[max(self._answer_at - CONTEXT, 0) :])
        self._proposer.begin(prompt)
        self._answer_at = len(prompt)

    def remember(self, text: Sequence[int]) -> None:
        """Let later texts be guessed to go on like this one."""
        self._proposer.remember(text)

    def forget_texts(self) -> None:
        """Forget all texts, the one that came last as well."""
        self._proposer.forget_texts()
        self._answer_at = len(self._proposer.tokens)

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """Grow the likeliest tree and cut it where more would not pay."""
        began = perf_counter()
        proposer = self._proposer
        proposer.forget()
        if self._width:
            n_nodes = min(room, self._width - 1)
            proposer.grow(n_nodes)
        else:
            self.costs.enter(len(proposer.tokens))
            n_nodes = self._choice.nodes(n_forced, min(LADDER[-1], room + n_forced), proposer.grow)
        tree = proposer.cut(n_nodes) if n_nodes else EMPTY_TREE
        self._drafted = began, perf_counter()
        return tree

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Label all guesses, index the new tokens, recycle every row, and take in the step's time.

        With ``put_off``, all but the first two wait for ``catch_up``. A step that nothing was to be drafted
        for (the last token of an answer) is not timed.
        """
        verified_at = perf_counter()
        drafted, self._drafted = self._drafted, None
        if drafted is None:
            self._proposer.forget()
        self._proposer.note(verified.tree, verified.path, verified.emitted)
        sample = None
        if put_off:
            # As soon as a GPU has the next step's logits, they take these ones' place, from the first row on.
            sample = verified.logits[0, ::SAMPLED].copy()
        else:
            self._recycle(verified.logits)
        learned_at = perf_counter()
        took = None
        if drafted is not None:
            took = drafted[1] - drafted[0], learned_at - drafted[1], learned_at - verified_at
        if sample is not None:
            self._put_off = verified, sample, took
        else:
            self._time(verified, took)

    def catch_up(self) -> None:
        """Do what was put off, while the model computes the next step."""
        if self._put_off is not None:
            (verified, sample, took), self._put_off = self._put_off, None
            self._recycle(verified.logits, sample)
            self._time(verified, took)

    def settle(self) -> None:
        """Learn what was put off, and hand over the labels that were gathered."""
        self.catch_up()
        self._learn_labels()

    def _recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        self._proposer.recycle(logits, sample)
        if self._proposer.n_labels >= _LABELS_AT_ONCE:
            self._learn_labels()

    def _time(self, verified: Verified, took: _Took | None) -> None:
        if took is None:
            return
        drafting_ms, step_ms, learning_ms = (1e3 * seconds for seconds in took)
        step_ms = self.costs.observe(verified.width, step_ms, learning_ms, drafting_ms)
        chosen = min(len(verified.emitted), len(verified.path) + 1)  # what a grammar forced came by itself
        self._choice.step(chosen, step_ms)

    def _learn_labels(self) -> None:
        labels = self._proposer.take_labels()
        if "calibration" not in self._without:
            self.knowledge.calibration.learn(*labels)
