"""The ``auto`` drafter: all sources in one tree, as wide as pays on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.copying import Copying
from trchat.recycling.cost import LADDER, Costs, StepCosts
from trchat.recycling.drafter import Verified
from trchat.recycling.growth import Growth, Guesser, grow
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.noted import AT_ONCE, NotedStep, NotedSteps
from trchat.recycling.pace import Pace
from trchat.recycling.packing import pack
from trchat.recycling.recent import RecentCandidates
from trchat.recycling.sources import Guesses, all_sources
from trchat.recycling.suffix import SuffixIndex
from trchat.recycling.table import CONTEXT
from trchat.recycling.topk import Best, top_k_and_mass
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree
from trchat.recycling.width import WidthChoice

_LABELS_AT_ONCE = (96, 512)  # at least and at most; in between as many as there were steps so far
_SAMPLED = 4096  # one logit in so many tells whether a row is still the same


@dataclass(frozen=True, slots=True)
class _Unlearned:
    """A verified tree that is still to be learned from.

    Attributes:
        contexts: of all rows, (1 + n, CONTEXT).
        guesses: for each emitted token, all guesses that there were for it.
        sample: some of the logits, to see later whether others have taken their place; None = they stay.
    """

    verified: Verified
    contexts: NDArray[np.int32]
    guesses: Sequence[Guesses]
    sample: NDArray[np.float32] | None


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
        self._copying = Copying(self.costs)
        self._choice: WidthChoice | None = None
        self._without = without
        self._guesses: dict[int, Guesses] = {}
        self._kinds: list[int] = []
        self._right: list[bool] = []
        self._put_off: _Unlearned | None = None
        self._noted = NotedSteps()
        self._began: float | None = None  # of the step under way, if it was drafted for
        self._drafted_s = 0.0  # which of its time drafting took
        self._restart([])

    @property
    def rows_learned(self) -> int:
        """Rows of candidates over all tables."""
        return self.knowledge.rows_learned

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer."""
        self.settle()
        self._began = self._choice = None
        self.costs.begin()
        self._restart(prompt)

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """Grow the likeliest tree and cut it where more would not pay."""
        self._began = perf_counter()
        self._choice = None
        tree = self._worth_its_time(room, n_forced)
        self._drafted_s = perf_counter() - self._began
        return tree

    def _worth_its_time(self, room: int, n_forced: int) -> DraftTree:
        if self._width:
            n_nodes = min(room, self._width - 1)
            return self._cut(self._grow(n_nodes), n_nodes)
        self.costs.enter(len(self._text.tokens))
        if self._pace.asleep:
            return self._copying.draft(self._text, min(LADDER[-1] - n_forced, room), n_forced)
        self._choice = self._pace.choice(n_forced, min(LADDER[-1], room + n_forced))
        growth = self._grow(room, self._choice.take)
        while self._choice.take(0.0):  # where guesses ran out, the usual width may still be the cheapest
            pass
        return self._cut(growth, self._choice.nodes)

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Label all guesses, recycle every row, index the new tokens, and take in the step's time.

        With ``put_off``, labels and rows wait for ``catch_up``, and those of steps without drafts until there
        are several. A step's time is that from ``draft`` to here: wider trees also take longer to grow and to
        learn from. A step that nothing was to be drafted for (the last token of an answer) is not timed.
        """
        verified_at = perf_counter()
        began, choice = self._began, self._choice
        self._began = self._choice = None
        if began is None:
            self._guesses = {}  # those there are were for an earlier place
        if self._pace.asleep and not self._width:
            self._text.extend(verified.emitted)
            if began is not None:
                self._copying.learn(verified)
                milliseconds = (perf_counter() - began) * 1e3
                if verified.width == 1:
                    self.costs.observe_plain(milliseconds)
                else:
                    self.costs.observe_copied(verified.width, milliseconds)
            self._pace.plain_step()
            return
        if len(verified.tree):
            contexts = self._contexts(verified.tree)
            sample = verified.logits[0, ::_SAMPLED].copy() if put_off else None
            self._put_off = _Unlearned(verified, contexts, self._guesses_for(verified), sample)
        else:
            (guesses,) = self._guesses_for(verified)
            step = NotedStep(self._text.context(), guesses, verified.emitted[0])
            self._noted.add(step, verified.logits[0])
        if not put_off:
            self.catch_up()
        self._text.extend(verified.emitted)
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
        if put_off is None:
            if len(self._noted) == AT_ONCE:
                self._learn_noted()
            return
        logits = _still_there(put_off)  # before anything else
        self._learn_noted()
        self._label(put_off.guesses, put_off.verified.emitted)
        if logits is not None:
            self._learn_tree(put_off.verified, put_off.contexts, logits)

    def _learn_tree(
        self, verified: Verified, contexts: NDArray[np.int32], logits: NDArray[np.float32]
    ) -> None:
        best, chances = self._recycle(contexts, logits, n_steps=1)
        chosen = [0, *(1 + node for node in verified.path)][: len(verified.emitted)]
        self._recent.step(best[chosen].tolist(), chances[chosen].tolist(), verified.emitted)

    def _learn_noted(self) -> None:
        steps = self._noted.steps
        if not steps:
            return
        contexts = np.array([step.context for step in steps], np.int32)
        best, chances = self._recycle(contexts, self._noted.rows, len(steps))
        for step, tokens, shares in zip(steps, best.tolist(), chances.tolist(), strict=True):
            self._label([step.guesses], [step.token])
            self._recent.step([tokens], [shares], [step.token])
        self._noted.clear()

    def _recycle(
        self, contexts: NDArray[np.int32], logits: NDArray[np.float32], n_steps: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Learn what ``n_steps`` brought; returns the candidates and their chances, (n, CANDIDATES) each."""
        best, values, mass = self._candidates(logits)
        certain = values - mass[:, None]
        self.knowledge.learn(contexts, pack(best, certain), n_steps)
        return best, np.exp(certain)

    def settle(self) -> None:
        """Learn what was put off or noted, and hand over the labels that were gathered."""
        self.catch_up()
        self._learn_noted()
        self._hand_over_labels()

    def _restart(self, prompt: Sequence[int]) -> None:
        self._text = SuffixIndex()
        self._text.extend(prompt)
        self._recent = RecentCandidates()
        sources = all_sources(self.knowledge, self._text, self._recent, self._without)
        self._guesser = Guesser(sources, self._text)
        self._guesses = {}

    def _grow(self, limit: int, go_on: Callable[[float], bool] | None = None) -> Growth:
        rates = self.knowledge.calibration.rates
        return grow(self._guesser, rates, self._text.context(), self._text.matches(), limit, go_on)

    def _cut(self, growth: Growth, n_nodes: int) -> DraftTree:
        """The tree of the likeliest nodes; what was guessed below them is kept to be labelled.

        A tree that falls short is filled up, since batches of one width come cheapest.
        """
        if n_nodes > len(growth.tokens):
            growth.fill(n_nodes, self._text.tokens)
        order = growth.order(min(n_nodes, len(growth.tokens)))
        self._guesses = {
            place: growth.guesses[node] for place, node in enumerate(order) if node in growth.guesses
        }
        self._guesses[ROOT] = growth.guesses[ROOT]
        return growth.tree(order) if order else EMPTY_TREE

    def _guesses_for(self, verified: Verified) -> list[Guesses]:
        """All guesses there were for each emitted token, before the text goes on.

        Below a node that was not asked about they are made now: afterwards the text would tell.
        """
        context, node = self._text.context(), ROOT
        found = []
        for number, token in enumerate(verified.emitted):
            guesses = self._guesses.get(node)
            found.append(self._guesser.guess_anew(context) if guesses is None else guesses)
            if number < len(verified.path):
                node = verified.path[number]
                context = (token, context[0], context[1])
        return found

    def _label(self, guesses: Sequence[Guesses], emitted: Sequence[int]) -> None:
        """Say of all ``guesses`` for each emitted token which came true."""
        if "calibration" in self._without:
            return
        for guessed, token in zip(guesses, emitted, strict=True):
            self._kinds.extend(guessed.values())
            self._right.extend([guess == token for guess in guessed])
        least, most = _LABELS_AT_ONCE
        if len(self._kinds) >= min(max(self.knowledge.clock, least), most):
            self._hand_over_labels()

    def _hand_over_labels(self) -> None:
        self.knowledge.calibration.learn(np.array(self._kinds, np.intp), np.array(self._right, bool))
        self._kinds, self._right = [], []

    def _contexts(self, tree: DraftTree) -> NDArray[np.int32]:
        """The last CONTEXT tokens before what each verified row foretells, last first; (1 + n, CONTEXT)."""
        contexts = np.empty((1 + len(tree), CONTEXT), np.int32)
        contexts[0] = self._text.context()
        contexts[1:, 0] = tree.tokens
        parents = tree.parents + 1
        contexts[1:, 1] = contexts[parents, 0]
        contexts[1:, 2] = contexts[parents, 1]
        return contexts

    @staticmethod
    def _candidates(logits: NDArray[np.float32]) -> Best:
        return top_k_and_mass(logits, CANDIDATES)


def _still_there(step: _Unlearned) -> NDArray[np.float32] | None:
    """The step's logits, a copy where they do not stay; None where the next step's have come already.

    As soon as a GPU has those, they take the place of these, from the first row on. Of a copy it is known
    whether that had begun, and it does not change while it is searched.
    """
    logits = step.verified.logits
    if step.sample is None:
        return logits
    copy = logits.copy()
    return copy if (logits[0, ::_SAMPLED] == step.sample).all() else None
