"""What a drafter is, and the simple ones: none, prompt lookup, and the paper's Token Recycling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.adjacency import AdjacencyMatrix, Template, paper_template
from trchat.recycling.suffix import NgramIndex
from trchat.recycling.topk import top_k
from trchat.recycling.tree import EMPTY_TREE, DraftTree, chain_tree


@dataclass(frozen=True, slots=True)
class Verified:
    """What the model said about a draft.

    Attributes:
        root: the token the tree hangs from.
        tree: the draft.
        logits: (1 + n, n_vocab): the root's row, then the nodes'. The next step's take their place, on a GPU
            as soon as that has computed them.
        path: the accepted nodes, from the root down.
        emitted: the tokens that the text grew by: the accepted ones, the model's own next one, and what a
            grammar forced behind that.
        width: tokens in the batch.
    """

    root: int
    tree: DraftTree
    logits: NDArray[np.float32]
    path: tuple[int, ...]
    emitted: tuple[int, ...]
    width: int = 1


class Drafter(Protocol):
    """Guesses what comes next, and learns from what the model made of it. One text at a time."""

    mode: str

    @property
    def rows_learned(self) -> int:
        """Rows of candidates it can draft from."""

    def begin(self, prompt: Sequence[int]) -> None:
        """Start on a text: the whole conversation so far, as token ids."""

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """Guess what follows the text, in at most ``room`` nodes.

        The batch will also hold ``n_forced`` tokens that are known already.
        """

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Take in one step; the text grows by ``verified.emitted``.

        With ``put_off``, what the next draft can do without may wait until ``catch_up``.
        """

    def catch_up(self) -> None:
        """Do what was put off; called while a GPU computes the next step."""

    def settle(self) -> None:
        """Take in what was put off: the answer is over, and what was learned is about to be kept."""


class NoDrafter:
    """Plain decoding: the empty draft."""

    mode = "off"
    rows_learned = 0

    def begin(self, prompt: Sequence[int]) -> None:
        """Nothing to prepare."""

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """No guess."""
        return EMPTY_TREE

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Nothing to learn."""

    def catch_up(self) -> None:
        """Nothing was put off."""

    def settle(self) -> None:
        """Nothing was put off."""


class LookupDrafter:
    """Prompt lookup: one branch of up to ten tokens copied from earlier in the text."""

    mode = "lookup"
    rows_learned = 0

    def __init__(self, n_tokens: int = 10) -> None:
        self._n_tokens = n_tokens
        self._text = NgramIndex()

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt."""
        self._text = NgramIndex()
        self._text.extend(prompt)

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """The continuation of the longest n-gram that was seen before."""
        return chain_tree(self._text.continuation(min(self._n_tokens, room)))

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Index the new tokens."""
        self._text.extend(verified.emitted)

    def catch_up(self) -> None:
        """Nothing was put off."""

    def settle(self) -> None:
        """Nothing was put off."""


class RecyclingDrafter:
    """Token Recycling as published: unigram matrix, static tree, every verified row recycled."""

    mode = "recycling"

    def __init__(self, matrix: AdjacencyMatrix, template: Template | None = None) -> None:
        """``matrix`` outlives the drafter: it is what carries over between texts ("hot start")."""
        self.matrix = matrix
        self._template = template or paper_template()
        self._last = 0

    @property
    def rows_learned(self) -> int:
        """Tokens with candidates."""
        return self.matrix.rows_learned

    def begin(self, prompt: Sequence[int]) -> None:
        """Start from the prompt's last token; prompt rows are not learned."""
        self._last = prompt[-1]

    def draft(self, room: int, n_forced: int = 1) -> DraftTree:
        """The template filled from the matrix."""
        return self.matrix.grow(self._last, self._template).first(room)

    def learn(self, verified: Verified, *, put_off: bool = False) -> None:
        """Recycle the top candidates of every verified row, accepted or not, in breadth-first order."""
        tree = verified.tree
        order = np.argsort(tree.depths, kind="stable")
        tokens = np.concatenate([[verified.root], tree.tokens[order]]).astype(np.int32)
        candidates = top_k(verified.logits, self.matrix.k)
        self.matrix.update(tokens, candidates[np.concatenate([[0], order + 1])])
        self._last = verified.emitted[-1]

    def catch_up(self) -> None:
        """Nothing was put off."""

    def settle(self) -> None:
        """Nothing was put off."""
