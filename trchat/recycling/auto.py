"""The ``auto`` drafter: all sources in one tree, as wide as pays on this machine."""

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.candidates import CONTEXT, pack
from trchat.recycling.cost import LADDER, Costs, StepCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.growth import Growth, Guesser, grow
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.recent import RecentCandidates
from trchat.recycling.sources import Context, Guesses, all_sources
from trchat.recycling.suffix import SuffixIndex
from trchat.recycling.topk import top_k_and_mass
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree
from trchat.recycling.width import Pace, WidthChoice

_LABELS_AT_ONCE = 96


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
    ) -> None:
        """``width`` fixes the tree at so many tokens, root included, instead of choosing by cost.

        ``without`` leaves parts out to measure what they bring: sources by name, or ``calibration``.
        """
        self.knowledge = knowledge
        self.costs: Costs = costs or StepCosts()
        self._width = width
        self._pace = Pace(self.costs, knowledge.clock)
        self._choice: WidthChoice | None = None
        self._without = without
        self._guesses: dict[int, Guesses] = {}
        self._kinds: list[int] = []
        self._right: list[bool] = []
        self._began: float | None = None  # of the step under way, if it was drafted for
        self._restart([])

    @property
    def rows_learned(self) -> int:
        """Rows of candidates over all tables."""
        return self.knowledge.rows_learned

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer."""
        self.settle()
        self._restart(prompt)

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """Grow the likeliest tree and cut it where more would not pay."""
        self._began = perf_counter()
        self._choice = None
        if self._width:
            growth = self._grow(min(room, self._width - 1))
            return self._cut(growth, len(growth.tokens))
        self.costs.enter(len(self._text.tokens))
        if self._pace.asleep:
            return EMPTY_TREE
        self._choice = self._pace.choice(n_forced, min(LADDER[-1], room + n_forced))
        growth = self._grow(room, self._choice.take)
        return self._cut(growth, self._choice.nodes)

    def learn(self, verified: Verified) -> None:
        """Label all guesses, recycle every row, index the new tokens, and take in the step's time.

        A step's time is that from ``draft`` to here: wider trees also take longer to grow and to learn from.
        A step that nothing was to be drafted for (the last token of an answer) is not timed.
        """
        began, choice = self._began, self._choice
        self._began = self._choice = None
        if self._pace.asleep and not self._width:
            self._text.extend(verified.emitted)
            if began is not None:
                self.costs.observe_plain((perf_counter() - began) * 1e3)
            self._pace.plain_step()
            return
        self._label(verified)
        self._recycle(verified)
        self._text.extend(verified.emitted)
        if began is not None:
            self.costs.observe(verified.width, (perf_counter() - began) * 1e3)
        if choice is not None:
            self._pace.step(choice, verified.width)

    def settle(self) -> None:
        """Hand the gathered labels to the calibration; gathered because numpy's price is per call."""
        self.knowledge.calibration.learn(np.array(self._kinds, np.intp), np.array(self._right, bool))
        self._kinds, self._right = [], []

    def _restart(self, prompt: Sequence[int]) -> None:
        self._text = SuffixIndex()
        self._text.extend(prompt)
        self._recent = RecentCandidates()
        sources = all_sources(self.knowledge, self._text, self._recent)
        self._guesser = Guesser(sources, self._text, self._without)
        self._guesses = {}

    def _grow(self, limit: int, go_on: Callable[[float], bool] | None = None) -> Growth:
        rates = self.knowledge.calibration.rates
        return grow(self._guesser, rates, self._text.context(), self._text.matches(), limit, go_on)

    def _cut(self, growth: Growth, n_nodes: int) -> DraftTree:
        """The tree of the likeliest nodes; what was guessed below them is kept to be labelled."""
        order = growth.order(n_nodes)
        self._guesses = {
            place: growth.guesses[node] for place, node in enumerate(order) if node in growth.guesses
        }
        self._guesses[ROOT] = growth.guesses[ROOT]
        return growth.tree(order) if order else EMPTY_TREE

    def _label(self, verified: Verified) -> None:
        if "calibration" in self._without:
            return
        context: Context = self._text.context()
        node: int | None = ROOT
        for number, token in enumerate(verified.emitted):
            guesses = self._guesses.get(node) if node is not None else None
            if guesses is None:
                guesses = self._guesser.guess_anew(context)
            self._kinds.extend(guesses.values())
            self._right.extend([guess == token for guess in guesses])
            node = verified.path[number] if number < len(verified.path) else None
            context = (token, context[0], context[1])
        if len(self._kinds) >= _LABELS_AT_ONCE:
            self.settle()

    def _recycle(self, verified: Verified) -> None:
        tree = verified.tree
        contexts = np.empty((1 + len(tree), CONTEXT), np.int32)
        contexts[0] = self._text.context()
        contexts[1:, 0] = tree.tokens
        parents = tree.parents + 1
        contexts[1:, 1] = contexts[parents, 0]
        contexts[1:, 2] = contexts[parents, 1]
        best, shares = self._candidates(verified)
        self.knowledge.learn(contexts, pack(best, shares))
        chosen_from = [0, *(1 + node for node in verified.path)][: len(verified.emitted)]
        chances = np.exp(shares[chosen_from]).tolist()
        rows = [
            list(zip(tokens, row, strict=True))
            for tokens, row in zip(best[chosen_from].tolist(), chances, strict=True)
        ]
        self._recent.step(rows, verified.emitted)

    @staticmethod
    def _candidates(verified: Verified) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        best, values, mass = top_k_and_mass(verified.logits, CANDIDATES)
        return best, values - mass[:, None]
