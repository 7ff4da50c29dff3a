"""The ``auto`` drafter: all sources in one tree, as wide as pays at this step."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.chains import ChainProposer
from trchat.recycling.cost import LADDER, Costs, StepCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.pace import Pace
from trchat.recycling.proposer import Proposer, make_proposer
from trchat.recycling.table import CONTEXT
from trchat.recycling.topk import SAMPLED
from trchat.recycling.tree import DraftTree

_LABELS_AT_ONCE = 96  # some steps': what learning them costs is mostly the same for one as for a hundred


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
        self._pace = Pace(self.costs)
        self._without = without
        proposer = make_proposer(knowledge, without)
        self._proposer: Proposer = ChainProposer(proposer) if chains else proposer
        self._answer_at = 0  # where in the text the answer begins
        self._put_off: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # logits, and a sample
        self._began: float | None = None  # of the step under way, if it was drafted for
        self._drafted_s = 0.0  # which of its time drafting took

    @property
    def rows_learned(self) -> int:
        """Rows of candidates over all tables."""
        return self.knowledge.rows_learned

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer.

        The answer before may be given again, to an edited question or by another seed.
        """
        self.settle()
        self._began = None
        self.costs.begin()
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
        self._began = perf_counter()
        proposer = self._proposer
        proposer.start_tree()
        if self._width:
            n_nodes = min(room, self._width - 1)
            proposer.grow(n_nodes)
        else:
            self.costs.enter(len(proposer.tokens))
            n_nodes = self._pace.nodes(n_forced, min(LADDER[-1], room + n_forced), proposer.grow)
        tree = proposer.cut(n_nodes)
        self._drafted_s = perf_counter() - self._began
        return tree

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Label all guesses, recycle every row, index the new tokens, and take in the step's time.

        With ``put_off``, rows wait for ``catch_up``. A step's time is that from ``draft`` to here: wider
        trees also take longer to grow and to learn from. A step that nothing was to be drafted for (the last
        token of an answer) is not timed.
        """
        verified_at = perf_counter()
        began, self._began = self._began, None
        proposer = self._proposer
        if began is None:
            proposer.forget()
        proposer.note(verified.tree, verified.path, verified.emitted)
        if put_off:
            # As soon as a GPU has the next step's logits, they take these ones' place, from the first row on.
            self._put_off = verified.logits, verified.logits[0, ::SAMPLED].copy()
        else:
            self._recycle(verified.logits)
        if began is None:
            return
        learned_at = perf_counter()
        work_s = self._drafted_s + learned_at - verified_at
        milliseconds = self.costs.observe(verified.width, (learned_at - began) * 1e3, work_s * 1e3)
        chosen = min(len(verified.emitted), len(verified.path) + 1)  # what a grammar forced came by itself
        self._pace.step(chosen, milliseconds)

    def catch_up(self) -> None:
        """Do what was put off, while the model computes the next step."""
        put_off, self._put_off = self._put_off, None
        if put_off is not None:
            self._recycle(*put_off)

    def settle(self) -> None:
        """Learn what was put off, and hand over the labels that were gathered."""
        self.catch_up()
        self._learn_labels()

    def _recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        self._proposer.recycle(logits, sample)
        if self._proposer.n_labels >= _LABELS_AT_ONCE:
            self._learn_labels()

    def _learn_labels(self) -> None:
        labels = self._proposer.take_labels()
        if "calibration" not in self._without:
            self.knowledge.calibration.learn(*labels)
