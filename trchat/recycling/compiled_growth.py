"""Trees proposed by the compiled kernel."""

from collections.abc import Container, Sequence
from ctypes import POINTER, byref, c_double, c_int32, c_uint8

import numpy as np
from numpy.ctypeslib import as_array
from numpy.typing import NDArray

from trchat.recycling import growth, suffix
from trchat.recycling.calibration import RECENT, RECENT_EDGES, STRIDES, Labels
from trchat.recycling.growth import earlier_kinds, row_kinds, suffix_kinds
from trchat.recycling.kernel import Kernel, address, freed_with
from trchat.recycling.knowledge import CANDIDATES, Knowledge
from trchat.recycling.topk import SAMPLED
from trchat.recycling.tree import EMPTY_TREE, DraftTree

_SMALLEST_ROOM = 128  # nodes


class NativeProposer:
    """See trchat.recycling.proposer, and growth.c."""

    def __init__(self, kernel: Kernel, knowledge: Knowledge, without: Container[str] = ()) -> None:
        self._kernel = kernel
        self._knowledge = knowledge  # kept: the kernel looks into its memory
        kinds = [row_kinds(number) for number in range(len(knowledge.tables))]
        for table, row in zip(knowledge.tables, kinds, strict=True):
            row[0] = table.name in without  # stands for no candidate, so there is room for this
        rows = np.array(kinds, np.int32)
        suffixes = np.array([*suffix_kinds(), earlier_kinds()], np.int32)
        edges = np.array(RECENT_EDGES, np.float64)
        self._handle = freed_with(
            self,
            kernel.grower_free,
            kernel.grower_new(
                knowledge.rows.handle,
                knowledge.calibration.handle,
                address(rows),
                address(suffixes),
                "suffix" not in without,
                "earlier" not in without,
                "recent" not in without,
                growth.GOOD,
                growth.LEAST,
                suffix.LONGEST_CHECKED,
                suffix.REMEMBERED,
                suffix.MOST_EARLIER,
                growth.FADE,
                growth.LEAST_WEIGHT,
                growth.MOST_WEIGHT,
                growth.UNIT_AT_MOST,
                address(edges),
                len(edges),
                STRIDES[RECENT],
            ),
        )
        self.tokens: list[int] = []
        self._n_cut = self._n_rows = 0  # nodes of the tree that was cut; rows of the step last noted
        self._probabilities = POINTER(c_double)()
        self._make_room(_SMALLEST_ROOM)

    def _make_room(self, n_nodes: int) -> None:
        self._tokens, self._parents, self._kinds = (np.empty(n_nodes, np.int32) for _ in range(3))
        self._paths = np.empty(n_nodes, np.float64)
        self._path, self._emitted = (c_int32 * n_nodes)(), (c_int32 * n_nodes)()
        self._places = [address(each) for each in (self._tokens, self._parents, self._paths, self._kinds)]

    def begin(self, prompt: Sequence[int]) -> None:
        """Index the prompt."""
        self._kernel.begin(self._handle)
        self._n_cut = 0
        self.tokens = list(prompt)
        self._kernel.extend(self._handle, (c_int32 * len(prompt))(*prompt), len(prompt))

    def remember(self, text: Sequence[int]) -> None:
        """Take in a text that is over."""
        self._kernel.remember(self._handle, (c_int32 * len(text))(*text), len(text))

    def forget_texts(self) -> None:
        """Forget all texts that are over."""
        self._kernel.forget_texts(self._handle)

    def grow(self, limit: int) -> Sequence[float]:
        """Take nodes until there are ``limit``, if there are as many; the probabilities of all so far."""
        n = self._kernel.grow(self._handle, limit, byref(self._probabilities))
        return self._probabilities[:n]

    def cut(self, n_nodes: int) -> DraftTree:
        """The tree of the likeliest nodes."""
        if n_nodes > len(self._tokens):
            self._make_room(n_nodes)
        n = self._n_cut = self._kernel.cut(self._handle, n_nodes, *self._places)
        if not n:
            return EMPTY_TREE
        return DraftTree(
            self._tokens[:n].copy(),
            self._parents[:n].copy(),
            self._paths[:n].tolist(),
            self._kinds[:n].tolist(),
        )

    def forget(self) -> None:
        """What was guessed was for another place."""
        self._n_cut = 0
        self._kernel.forget_guesses(self._handle)

    def note(self, tree: DraftTree, path: Sequence[int], emitted: Sequence[int]) -> None:
        """Label all guesses there were for each emitted token; then the text goes on.

        Raises ValueError where ``tree`` is not part of the one that was cut, or ``path`` not in it: the
        kernel would look beyond its memory.
        """
        if len(tree) > self._n_cut or any(not 0 <= node < len(tree) for node in path):
            raise ValueError("not a part of the tree that was cut, or a path that is not in it")
        if len(emitted) > len(self._emitted):
            self._make_room(len(emitted))
        self._path[: len(path)] = list(path)
        self._emitted[: len(emitted)] = list(emitted)
        self.tokens.extend(emitted)
        self._n_rows = 1 + len(tree)
        self._kernel.note(self._handle, self._path, len(path), self._emitted, len(emitted), len(tree))

    def recycle(self, logits: NDArray[np.float32], sample: NDArray[np.float32] | None = None) -> None:
        """Learn the candidates of all rows; those beside an emitted token may come a little later.

        Raises ValueError for rows that are not those of the tree that was noted.
        """
        clock = self._knowledge.clock + 1
        stride, size = logits.strides
        if len(logits) != self._n_rows or size != logits.itemsize:
            raise ValueError("rows of logits, each in one piece, are wanted for the tree that was noted")
        learned = self._kernel.recycle(
            self._handle,
            address(logits),
            logits.shape[1],
            stride // size,
            CANDIDATES,
            clock,
            None if sample is None else address(sample),
            SAMPLED,
        )
        if learned:
            self._knowledge.clock = clock

    @property
    def n_labels(self) -> int:
        """Guesses that were labelled since labels were last taken."""
        n: int = self._kernel.n_labels(self._handle)
        return n

    def take_labels(self) -> Labels:
        """What was labelled since; the arrays are good until the next step is noted."""
        kinds, right = POINTER(c_int32)(), POINTER(c_uint8)()
        n = self._kernel.take_labels(self._handle, byref(kinds), byref(right))
        if not n:
            return np.empty(0, np.int32), np.empty(0, np.uint8)
        return as_array(kinds, (n,)), as_array(right, (n,))
