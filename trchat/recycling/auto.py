"""The ``auto`` drafter: all sources in one tree, as wide as pays on this machine."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.candidates import pack
from trchat.recycling.cost import LADDER, Costs, StepCosts, WidthChoice
from trchat.recycling.drafter import Verified
from trchat.recycling.growth import Growth, Guesses, Sources, grow, tree_of
from trchat.recycling.kinds import sibling_level
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.suffix import SuffixIndex
from trchat.recycling.topk import top_k_and_mass
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree

_SIBLING_CANDIDATES = 4
_LABELS_AT_ONCE = 96
_FADE = 0.98  # of the record of promises, per draft
_PATIENCE = 4.0  # accepted tokens that every drafter is credited with


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

        ``without`` leaves parts out to measure what they bring: sources (see Sources) or ``calibration``.
        """
        self.knowledge = knowledge
        self.costs: Costs = costs or StepCosts()
        self._width = width
        self._without = without
        self._siblings: Guesses = {}
        self._guesses: dict[int, Guesses] = {}
        self._kinds: list[int] = []
        self._right: list[bool] = []
        self._hoped = self._kept = self._promised = 0.0
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
        if self._width:
            return self._draft_fixed(min(room, self._width - 1))
        self.costs.enter(len(self._text.tokens))
        widest = min(LADDER[-1], room + n_forced)
        trust = self._trust()
        reach = WidthChoice(self.costs, n_forced, widest)
        growth = self._grow(room, lambda share: reach.take(share * trust))
        chain = growth.chain()
        order, gains = self._by_gain(growth, chain, trust)
        choice = WidthChoice(self.costs, n_forced, widest)
        for gain in gains:
            if not choice.take(gain):
                break
        self._promised = sum(growth.probabilities[node] for node in order[: choice.nodes])
        return self._cut(growth, order[: choice.nodes], chain)

    def learn(self, verified: Verified) -> None:
        """Take in the step's time, label all guesses, recycle every row, and index the new tokens."""
        self.costs.observe(verified.width, verified.decode_s * 1e3)
        if len(verified.tree):
            self._hoped = _FADE * self._hoped + self._promised
            self._kept = _FADE * self._kept + len(verified.path)
        self._label(verified)
        self._recycle(verified)
        self._text.extend(verified.emitted)

    def settle(self) -> None:
        """Hand the gathered labels to the calibration; gathered because numpy's price is per call."""
        self.knowledge.calibration.learn(np.array(self._kinds, np.intp), np.array(self._right, bool))
        self._kinds, self._right = [], []

    def _restart(self, prompt: Sequence[int]) -> None:
        self._text = SuffixIndex()
        self._text.extend(prompt)
        self._sources = Sources(self.knowledge, self._text, self._without)
        self._siblings = {}
        self._guesses = {}

    def _draft_fixed(self, n_nodes: int) -> DraftTree:
        growth = self._grow(n_nodes)
        return self._cut(growth, list(range(min(n_nodes, len(growth.tokens)))), growth.chain())

    def _grow(self, limit: int, go_on: Callable[[float], bool] | None = None) -> Growth:
        rates = self.knowledge.calibration.rates
        context, matches = self._text.context(), self._text.matches()
        return grow(self._sources, rates, context, matches, self._siblings, limit, go_on)

    def _cut(self, growth: Growth, chosen: list[int], chain: list[int]) -> DraftTree:
        """The tree of the chosen nodes; what was guessed below them is kept to be labelled."""
        tree, place = tree_of(growth, chosen, chain) if chosen else (EMPTY_TREE, {ROOT: ROOT})
        self._guesses = {place[node]: found for node, found in growth.guesses.items() if node in place}
        return tree

    def _trust(self) -> float:
        """How much of what drafts promised came true lately: hopes are chosen for being high."""
        return min(1.0, (self._kept + _PATIENCE) / (self._hoped + _PATIENCE))

    def _by_gain(self, growth: Growth, chain: list[int], trust: float) -> tuple[list[int], list[float]]:
        """Nodes by what they bring, and how much: accepted tokens beside the chain are paid for twice.

        They do not stay in the KV cache and are sent again with the next batch, so a part of what they save
        is lost: the price of one more token in a batch, in steps saved.
        """
        again = min(0.9, max(0.0, (self.costs.of(8) - self.costs.of(2)) / 6 / self.costs.of(1)))
        on_chain = set(chain)
        gains = [
            share * trust if node in on_chain else share * trust * (1 - again)
            for node, share in enumerate(growth.probabilities)
        ]
        order = sorted(range(len(gains)), key=lambda node: -gains[node])
        return order, [gains[node] for node in order]

    def _label(self, verified: Verified) -> None:
        if "calibration" in self._without:
            return
        kinds: list[int] = []
        right: list[bool] = []
        last, second, third = self._text.context()
        node: int | None = ROOT
        for number, token in enumerate(verified.emitted):
            guesses = self._guesses.get(node) if node is not None else None
            if guesses is None:
                found = self._text.after(last, second, third)
                guesses = self._sources.guess(last, second, third, [found] if found else [], {})
            kinds.extend(guesses.values())
            right.extend(guess == token for guess in guesses)
            node = verified.path[number] if number < len(verified.path) else None
            last, second, third = token, last, second
        self._kinds += kinds
        self._right += right
        if len(self._kinds) >= _LABELS_AT_ONCE:
            self.settle()

    def _recycle(self, verified: Verified) -> None:
        tree = verified.tree
        _, before, before_that = self._text.context()
        last = np.concatenate([[verified.root], tree.tokens]).astype(np.int32)
        parents = np.concatenate([[0], tree.parents + 1])
        second = last[parents]
        second[0] = before
        third = second[parents]
        third[0] = before_that
        best, values, mass = top_k_and_mass(verified.logits, CANDIDATES)
        shares = values - mass[:, None]
        packed = pack(best, shares)
        self.knowledge.learn(np.stack([last, second, third], axis=1), packed)
        self._siblings = self._after_siblings(verified, best, shares, mass)

    @staticmethod
    def _after_siblings(
        verified: Verified, best: NDArray[np.int32], shares: NDArray[np.float32], mass: NDArray[np.float32]
    ) -> Guesses:
        """What the model would have said after the rejected alternatives to the last emitted token.

        Words that fit the same place are often followed by the same word, and the token itself was not in
        the tree, so nothing else is known yet of what follows it here.
        """
        at = verified.path[-1] if verified.path else ROOT
        siblings = np.flatnonzero(verified.tree.parents == at)
        if len(verified.emitted) == len(verified.path) or not len(siblings):
            return {}
        likely = verified.logits[1 + at, verified.tree.tokens[siblings]] - mass[1 + at]
        weights: dict[int, float] = {}
        for sibling, weight in zip((1 + siblings).tolist(), np.exp(likely / 2).tolist(), strict=True):
            tokens = best[sibling, :_SIBLING_CANDIDATES].tolist()
            for token, share in zip(
                tokens, np.exp(shares[sibling, :_SIBLING_CANDIDATES]).tolist(), strict=True
            ):
                weights[token] = weights.get(token, 0.0) + share * weight
        levels = {token: sibling_level(weight) for token, weight in weights.items()}
        return {token: level for token, level in levels.items() if level}
