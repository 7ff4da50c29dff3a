"""Trees proposed in plain Python: what the compiled kernel does, to be read, and where there is none."""

from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import Labels
from trchat.recycling.growth import Growth, Guesser
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.packing import pack
from trchat.recycling.recent import RecentCandidates
from trchat.recycling.sources import Guesses, all_sources
from trchat.recycling.suffix import EarlierTexts, SuffixIndex
from trchat.recycling.table import CONTEXT
from trchat.recycling.topk import SAMPLED, top_k_and_mass
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree


class PlainProposer:
    """See trchat.recycling.proposer."""

    def __init__(self, knowledge: Knowledge, without: Container[str] = ()) -> None:
        self._knowledge = knowledge
        self._without = without
        self._kinds: list[int] = []
        self._right: list[bool] = []
        self._growth: Growth | None = None
        self._guesses: dict[int, Guesses] = {}  # of the tree as it was cut
        self._earlier = EarlierTexts()
        self.begin([])

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt: its own successions are guesses for the answer."""
        self._text = SuffixIndex(self._earlier)
        self._text.extend(prompt)
        self.tokens = self._text.tokens
        self._recent = RecentCandidates()
        self._guesser = Guesser(
            all_sources(self._knowledge, self._text, self._recent, self._without), self._text
        )
        self.forget()

    def remember(self, text: Sequence[int]) -> None:
        """Take in a text that is over."""
        self._earlier.add(text)

    def forget_texts(self) -> None:
        """Forget all texts that are over."""
        self._earlier.clear()

    def grow(self, limit: int) -> Sequence[float]:
        """Take nodes until there are ``limit``, if there are as many; the probabilities of all so far."""
        if self._growth is None:
            text = self._text
            self._growth = Growth(
                self._guesser, self._knowledge.calibration.rates, text.context(), text.matches()
            )
            self._guesses = {ROOT: self._growth.guesses[ROOT]}
        return self._growth.to(limit)

    def cut(self, n_nodes: int) -> DraftTree:
        """The tree of the likeliest nodes; what was guessed below them is kept to be labelled."""
        growth = self._growth
        if growth is None:
            return EMPTY_TREE
        if n_nodes > len(growth.tokens):
            growth.fill(n_nodes, self._text.tokens)
        order = growth.order(min(n_nodes, len(growth.tokens)))
        for place, node in enumerate(order):
            if node in growth.guesses:
                self._guesses[place] = growth.guesses[node]
        return growth.tree(order) if order else EMPTY_TREE

    def forget(self) -> None:
        """What was guessed was for another place."""
        self._growth = None
        self._guesses = {}

    def note(self, tree: DraftTree, path: Sequence[int], emitted: Sequence[int]) -> None:
        """Label all guesses there were for each token the model was asked for; then the text goes on."""
        context, node = self._text.context(), ROOT
        if not self._guesses:  # no tree was grown here
            self._guesses[ROOT] = self._guesser.guess(context, self._text.matches())
        asked = emitted[: len(path) + 1]
        for number, token in enumerate(asked):
            guesses = self._guesses.get(node)
            if guesses is None:
                guesses = self._guesser.guess_anew(context)
            self._kinds.extend(guesses.values())
            self._right.extend([guess == token for guess in guesses])
            if number < len(path):
                node = path[number]
                context = (token, context[0], context[1])
        self.forget()
        # The last tokens before what each verified row foretells, last first.
        self._contexts = np.empty((1 + len(tree), CONTEXT), np.int32)
        self._contexts[0] = self._text.context()
        self._contexts[1:, 0] = tree.tokens
        parents = tree.parents + 1
        self._contexts[1:, 1] = self._contexts[parents, 0]
        self._contexts[1:, 2] = self._contexts[parents, 1]
        self._chosen = [0, *(1 + node for node in path)][: len(asked)]
        self._emitted = asked
        self._text.extend(emitted)

    def recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        """Learn the candidates of all rows; those beside an emitted token may come a little later."""
        best, values, mass = top_k_and_mass(logits, CANDIDATES, changing=sample is not None)
        if sample is not None and (logits[0, ::SAMPLED] != sample).any():
            return
        certain = values - mass[:, None]
        self._knowledge.learn(self._contexts, pack(best, certain))
        chances = np.exp(certain[self._chosen])
        self._recent.step(best[self._chosen].tolist(), chances.tolist(), self._emitted)

    @property
    def n_labels(self) -> int:
        """Guesses that were labelled since labels were last taken."""
        return len(self._kinds)

    def take_labels(self) -> Labels:
        """What was labelled since."""
        labels = np.array(self._kinds, np.int32), np.array(self._right, np.uint8)
        self._kinds, self._right = [], []
        return labels
