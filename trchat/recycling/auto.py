"""The ``auto`` drafter: all sources in one tree, as wide as pays on this machine."""

from collections.abc import Sequence
from math import sqrt
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.chains import ChainProposer
from trchat.recycling.copying import Copying
from trchat.recycling.cost import LADDER, Costs, StepCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.pace import Pace
from trchat.recycling.proposer import Proposer, make_proposer
from trchat.recycling.topk import SAMPLED
from trchat.recycling.tree import DraftTree
from trchat.recycling.width import WidthChoice

_LATE_LOSS = 0.013  # of its tokens, times the root of its width: what a step loses that is learned one later
_NEW_TIME = 0.1  # weight of one step's time
_LABELS_AT_ONCE = (96, 512)  # at least and at most; in between as many as there were steps so far


class AutoDrafter:
    """Drafts what is worth its time, from everything that the model and the text have shown.

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
        self._pace = Pace(self.costs, knowledge.clock)
        self._copying = Copying(self.costs)
        self._choice: WidthChoice | None = None
        self._without = without
        proposer = make_proposer(knowledge, without)
        self._proposer: Proposer = ChainProposer(proposer) if chains else proposer
        self._put_off: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # logits, and a sample
        self._row_ms: float | None = None  # what learning takes, a row
        self._began: float | None = None  # of the step under way, if it was drafted for
        self._drafted_s = 0.0  # which of its time drafting took

    @property
    def rows_learned(self) -> int:
        """Rows of candidates over all tables."""
        return self.knowledge.rows_learned

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer."""
        self.settle()
        self._began = self._choice = None
        self.costs.begin()
        self._pace.begin()
        self._proposer.begin(prompt)

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """Grow the likeliest tree and cut it where more would not pay."""
        self._began = perf_counter()
        self._choice = None
        tree = self._worth_its_time(room, n_forced)
        self._drafted_s = perf_counter() - self._began
        return tree

    def _worth_its_time(self, room: int, n_forced: int) -> DraftTree:
        proposer = self._proposer
        if self._width:
            n_nodes = min(room, self._width - 1)
            proposer.start_tree()
            proposer.grow(n_nodes)
            return proposer.cut(n_nodes)
        self.costs.enter(len(proposer.tokens))
        if self._pace.asleep:
            return self._copying.draft(proposer, min(LADDER[-1] - n_forced, room), n_forced)
        self._choice = self._pace.choice(n_forced, min(LADDER[-1], room + n_forced))
        proposer.start_tree()
        self._choice.decide(proposer.grow)
        return proposer.cut(self._choice.nodes)

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Label all guesses, recycle every row, index the new tokens, and take in the step's time.

        With ``put_off``, rows and hit rates wait for ``catch_up``, unless the next step is likely to bring
        more tokens with them than learning takes time. A step's time is that from ``draft`` to here: wider
        trees also take longer to grow and to learn from. A step that nothing was to be drafted for (the last
        token of an answer) is not timed.
        """
        verified_at = perf_counter()
        began, choice = self._began, self._choice
        self._began = self._choice = None
        proposer = self._proposer
        if self._pace.asleep and not self._width:
            proposer.extend(verified.emitted)
            if began is not None:
                self._copying.learn(verified)
                milliseconds = (perf_counter() - began) * 1e3
                if verified.width == 1:
                    self.costs.observe_plain(milliseconds)
                else:
                    self.costs.observe_copied(verified.width, milliseconds)
            self._pace.plain_step()
            return
        if began is None:
            proposer.forget()
        proposer.note(verified.tree, verified.path, verified.emitted)
        if put_off and not self._pays_at_once(verified.width):
            # As soon as a GPU has the next step's logits, they take these ones' place, from the first row on.
            self._put_off = verified.logits, verified.logits[0, ::SAMPLED].copy()
        else:
            self._recycle(verified.logits)
        if began is None:
            return
        learned_at = perf_counter()
        milliseconds = self.costs.taken(verified.width, (learned_at - began) * 1e3)
        self.costs.observe(verified.width, milliseconds, (self._drafted_s + learned_at - verified_at) * 1e3)
        if choice is not None:
            self._pace.step(choice, verified.width, len(verified.emitted), milliseconds)

    def catch_up(self) -> None:
        """Do what was put off, while the model computes the next step."""
        put_off, self._put_off = self._put_off, None
        if put_off is not None:
            self._recycle(*put_off)

    def _pays_at_once(self, width: int) -> bool:
        if self._row_ms is None:
            return False
        return self._row_ms * width < _LATE_LOSS * sqrt(width) * self.costs.of(width)

    def _recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        start = perf_counter()
        self._proposer.recycle(logits, sample)
        row_ms = (perf_counter() - start) * 1e3 / len(logits)
        known = row_ms if self._row_ms is None else self._row_ms
        self._row_ms = known + _NEW_TIME * (min(row_ms, 2 * known) - known)
        least, most = _LABELS_AT_ONCE
        if self._proposer.n_labels >= min(max(self.knowledge.clock, least), most):
            self._learn_labels()

    def settle(self) -> None:
        """Learn what was put off, and hand over the labels that were gathered."""
        self.catch_up()
        self._learn_labels()

    def _learn_labels(self) -> None:
        labels = self._proposer.take_labels()
        if "calibration" not in self._without:
            self.knowledge.calibration.learn(*labels)
