"""Proposes chains instead of trees, for models whose state cannot branch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import Labels
from trchat.recycling.proposer import Proposer
from trchat.recycling.tree import EMPTY_TREE, DraftTree

_GROWN = 32
"""Nodes of the tree whose likeliest path is proposed: one that is worth sending is likelier than most of what
lies beside it, and so among the first. Growing that many takes some hundredths of a millisecond."""


class ChainProposer:
    """The likeliest path of the trees that ``proposer`` would propose (see trchat.recycling.proposer)."""

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer
        self._chain: DraftTree | None = None

    @property
    def tokens(self) -> list[int]:
        """The text."""
        return self._proposer.tokens

    def begin(self, prompt: Sequence[int]) -> None:
        """Start on another text."""
        self._chain = None
        self._proposer.begin(prompt)

    def remember(self, text: Sequence[int]) -> None:
        """Take in a text that is over."""
        self._proposer.remember(text)

    def forget_texts(self) -> None:
        """Forget all texts that are over."""
        self._proposer.forget_texts()

    def grow(self, limit: int) -> Sequence[float]:
        """The probabilities of the paths down to all nodes of the chain, wherever it ends."""
        return self._likeliest().probabilities or ()

    def cut(self, n_nodes: int) -> DraftTree:
        """The chain's first ``n_nodes`` nodes, or all of them."""
        return self._likeliest().first(n_nodes)

    def _likeliest(self) -> DraftTree:
        if self._chain is None:
            grown = len(self._proposer.grow(_GROWN))
            tree = self._proposer.cut(grown) if grown else EMPTY_TREE
            self._chain = tree.first(tree.chain)
        return self._chain

    def forget(self) -> None:
        """What was guessed was for another place."""
        self._chain = None
        self._proposer.forget()

    def note(self, tree: DraftTree, path: Sequence[int], emitted: Sequence[int]) -> None:
        """Say what became of ``tree``, the chain that was cut or its first nodes; then the text goes on."""
        self._chain = None
        self._proposer.note(tree, path, emitted)

    def recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        """Learn the candidates that the model had at each of the noted chain's rows."""
        self._proposer.recycle(logits, sample)

    @property
    def n_labels(self) -> int:
        """Guesses that were labelled since labels were last taken."""
        return self._proposer.n_labels

    def take_labels(self) -> Labels:
        """What was labelled since."""
        return self._proposer.take_labels()
