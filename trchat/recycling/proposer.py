"""What proposes trees to the ``auto`` drafter: every source of guesses, asked below the end of one text."""

from collections.abc import Container, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trchat.recycling import kernel
from trchat.recycling.calibration import Labels
from trchat.recycling.compiled_growth import NativeProposer
from trchat.recycling.growth import PlainProposer
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.tree import DraftTree


class Proposer(Protocol):
    """Grows the likeliest trees below a text, and labels what it guessed by what was emitted.

    For each step: ``grow`` as often as more nodes may pay, and ``cut``; then ``note``, and ``recycle`` as
    soon as there is time.
    """

    @property
    def tokens(self) -> list[int]:
        """The text."""

    def begin(self, prompt: Sequence[int]) -> None:
        """Start on another text."""

    def remember(self, text: Sequence[int]) -> None:
        """Take in a text that is over: from the next ``begin`` on, others may be guessed to go on like it."""

    def forget_texts(self) -> None:
        """Forget all texts that are over."""

    def grow(self, limit: int) -> Sequence[float]:
        """Guess what follows the text: take nodes, likeliest first, up to ``limit`` or until none is left.

        Returns the probabilities of the paths down to all nodes so far.
        """

    def cut(self, n_nodes: int) -> DraftTree:
        """The tree of the ``n_nodes`` likeliest nodes, the likeliest chain first.

        A tree that falls short is filled up with what the text said last, since batches of one width come
        cheapest.
        """

    def forget(self) -> None:
        """What was guessed was for another place."""

    def note(self, tree: DraftTree, path: Sequence[int], emitted: Sequence[int]) -> None:
        """Say what became of ``tree``, the one that was cut or its first nodes; then the text goes on.

        All guesses for each emitted token are right or wrong, but for those that a grammar forced behind the
        model's last choice. Below a node that was not asked about they are made before the text goes on,
        which would tell.
        """

    def recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        """Learn the candidates that the model had at the noted tree's rows (1 + n, n_vocab).

        Rows behind the first ROWS_LEARNED and the last one that a token was emitted at are left out.

        Where rows may be overwritten meanwhile, ``sample`` holds one in SAMPLED logits of the first one as
        they were: what was found is learned only if that has stayed.
        """

    @property
    def n_labels(self) -> int:
        """Guesses that were labelled since labels were last taken."""

    def take_labels(self) -> Labels:
        """What was labelled since; the arrays are good until the next step is noted."""


def make_proposer(knowledge: Knowledge, without: Container[str] = ()) -> Proposer:
    """Every source but those named in ``without``; compiled, where that was possible."""
    if kernel.KERNEL is not None:
        return NativeProposer(kernel.KERNEL, knowledge, without)
    return PlainProposer(knowledge, without)
