"""Keeps the KV cache in position order while draft trees come and go.

Attention sums over cells in the order they lie in, and rounding makes that order matter. So of a verified
tree the accepted cells stay where they are, the rejected ones behind them are freed, and those between them
are kept occupied but hidden: cells that no later token fills leave the order as plain decoding has it, and a
hidden cell adds nothing to the sum. Such gaps take room, of which there is a little to spare; where a gap
would be too long, or the spare room is used up, the accepted tokens behind it are dropped and sent again,
ahead of the next tree.
"""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trchat.decoding.sequences import TreeSequences
from trchat.llama.batch import ALL_SEQUENCES, END, Batch
from trchat.recycling.tree import DraftTree

LONGEST_GAP = 12
"""Hidden cells that keeping the accepted part of one tree may cost."""

SPAN = 128
"""Most tokens that are copied out of the cache at once: 1.6 MB of a model with half a billion parameters, 17
of one with eight billion. gpt-oss sees a window of as many: llama.cpp copies no more than one."""

WAITED_S = 1e-4
"""Asking a GPU that is done takes less."""


class TreeContext(Protocol):
    """What is needed of a llama.cpp context (see trchat.llama.context)."""

    n_ctx: int
    n_spare: int
    keeps_order: bool
    computes_apart: bool
    n_seq: int
    n_rows: int
    batch: Batch
    window: int

    def decode(self, n_tokens: int) -> None: ...  # noqa: D102

    def logits(self, n_rows: int) -> NDArray[np.float32]: ...  # noqa: D102

    def remove(self, seq: int, start: int, stop: int = END) -> bool: ...  # noqa: D102

    def copy(self, source: int, target: int, start: int, stop: int) -> None: ...  # noqa: D102

    def clear(self) -> None: ...  # noqa: D102

    def save(self, seq: int = 0, *, whole: bool = False) -> NDArray[np.uint8]: ...  # noqa: D102

    def restore(self, saved: NDArray[np.uint8], seq: int = 0, *, whole: bool = False) -> bool: ...  # noqa: D102

    def span(self, seq: int) -> tuple[int, int]: ...  # noqa: D102


def common_length(one: Sequence[object], other: Sequence[object]) -> int:
    """How many tokens, or letters, two texts share from the start."""
    for length, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return length
    return min(len(one), len(other))


class KVCache:
    """The one owner of what the context's KV cache holds: one token per position, in order.

    ``decode_s`` is how long the model was waited for, of what was last submitted, in seconds; ``waited``,
    whether a GPU was still at it when ``result`` was asked for.

    Sequence 0 always holds everything. A tree uses some of the others (see TreeSequences), and each of those
    must hold the whole prefix; they are brought up to date only then. The last one holds the hidden cells.
    """

    goes_back = True
    """Whether it can go back to any place."""
    again: Sequence[int] = ()
    """Known tokens of the last step that are to be sent once more: none (see StateCache)."""

    def __init__(self, context: TreeContext) -> None:
        self.context = context
        self.tokens: list[int] = []
        self.decode_s = 0.0
        self.waited = False
        self._gaps: list[tuple[int, int]] = []  # of each hidden cell: tokens before its gap, its position
        self._hidden_seq = context.n_seq - 1
        self._held = [0] * (context.n_seq - 1)  # positions [0, held) each sequence can see
        self._tree: DraftTree | None = None
        self._sequences = TreeSequences(context.batch.capacity, self._hidden_seq)  # of the tree under way
        self._all = np.arange(context.n_seq, dtype=np.int32)
        self._forced: Sequence[int] = ()

    @property
    def span(self) -> int:
        """Most tokens for ``save_span``."""
        window = min(self.context.window or SPAN, SPAN)
        return 1 << (window.bit_length() - 1)  # windows that begin at multiples of theirs are of such a size

    @property
    def room(self) -> int:
        """Tokens that still fit."""
        return self.context.n_ctx - len(self.tokens)

    @property
    def longest_known(self) -> int:
        """Known tokens that may be sent ahead of a tree in one batch; there is room for some tree then."""
        return self.context.batch.capacity // 2

    @property
    def computes_apart(self) -> bool:
        """Whether the model computes beside this program, on a GPU, between ``submit`` and ``result``."""
        return self.context.computes_apart

    @property
    def hidden(self) -> int:
        """Cells that are gaps."""
        return len(self._gaps)

    def room_for_drafts(self, n_forced: int) -> int:
        """Nodes that a draft behind ``n_forced`` known tokens may have."""
        return self.room - n_forced

    def moves_rows(self, n_rows: int) -> bool:
        """Whether the next batch, with so many rows of logits, gives them another place in memory."""
        return False

    def reuse(self, tokens: Sequence[int]) -> int:
        """Keep the longest common prefix with ``tokens``, drop the rest; returns its length.

        The last of ``tokens`` is never counted, so that there is something left to compute logits from.
        """
        common = common_length(self.tokens, tokens[:-1])
        if common < len(self.tokens) or self._tree is not None:
            self.truncate(common)
        return len(self.tokens)

    def reachable(self, length: int) -> int:
        """Where ``truncate`` to ``length`` would come to."""
        return length

    def truncate(self, length: int) -> None:
        """Drop everything from position ``length`` on, and whatever an interrupted step left behind."""
        if length:
            self._remove_from_all(length)
            self.tokens = self.tokens[:length]
            self._held = [min(held, length) for held in self._held]
        else:
            self.context.clear()
            self.tokens = []
            self._gaps = []
            self._held = [0] * len(self._held)
        self._tree = None

    def _remove_from_all(self, length: int) -> None:
        """Drop the tokens from ``length`` on, and the hidden cells that have none before or behind them.

        A hidden cell may have a later position than visible ones behind it, and must stay there: a token
        that took its cell would be out of order.
        """
        for seq in range(self._hidden_seq):
            self.context.remove(seq, length, END)
        end = max([length, *(place + 1 for before, place in self._gaps if before < length)])
        self.context.remove(self._hidden_seq, end, END)
        self._gaps = [(before, place) for before, place in self._gaps if before < length or place < end]

    def prefill(self, tokens: Sequence[int], points: Sequence[int] = ()) -> Iterator[int]:
        """Append ``tokens`` to the cache batch by batch; yields how many are done after each batch.

        ``points``, where the conversation may come back to, are of no use here: it can to any place.
        """
        batch = self.context.batch
        for start in range(0, len(tokens), batch.capacity):
            part = tokens[start : start + batch.capacity]
            n = len(part)
            batch.token[:n] = part
            batch.pos[:n] = np.arange(len(self.tokens), len(self.tokens) + n)
            batch.n_seq_id[:n] = 1
            batch.seq_id[:n, 0] = 0
            batch.logits[:n] = 0
            batch.logits[n - 1] = 1  # llama.cpp wants at least one row
            self._decode(n)
            self.tokens.extend(part)
            self._held[0] = len(self.tokens)
            yield start + n

    def save_span(self, start: int, stop: int) -> tuple[list[int], list[NDArray[np.uint8]]]:
        """A copy of what is cached of the tokens [start, stop), at most ``span`` of them, in one part.

        The other list is of positions, see StateCache. No parts where there is no sequence to spare.
        """
        seq = self._hidden_seq - 1
        if seq < 1:
            return [], []
        self._drop_sequence(seq)
        self.context.copy(0, seq, start, stop)
        saved = self.context.save(seq, whole=True)
        self._drop_sequence(seq)
        return [], [saved] if len(saved) else []

    def load_span(
        self, tokens: Sequence[int], points: Sequence[int], parts: Sequence[NDArray[np.uint8]]
    ) -> bool:
        """Append ``tokens`` with what ``save_span`` returned of them, at the same place of the same text.

        False, and nothing has changed, when it does not fit or llama.cpp does not take it.
        """
        start, stop = len(self.tokens), len(self.tokens) + len(tokens)
        seq = self._hidden_seq - 1
        if seq < 1 or len(parts) != 1 or stop > self.context.n_ctx:
            return False
        self._drop_sequence(seq)
        # Of layers with a window, cells may be missing that a later token would look at.
        taken = self.context.restore(parts[0], seq, whole=True) and self.context.span(seq) == (
            start,
            stop - 1,
        )
        if taken:
            self.context.copy(seq, 0, start, stop)
            self.tokens.extend(tokens)
            self._held[0] = stop
        self._drop_sequence(seq)
        return taken

    def _drop_sequence(self, seq: int) -> None:
        self.context.remove(seq, 0, END)
        self._held[seq] = 0

    def fitting(self, tree: DraftTree, n_forced: int) -> DraftTree:
        """As much of ``tree`` as fits into one batch behind ``n_forced`` tokens: room, rows, sequences."""
        context = self.context
        tree = tree.first(min(self.room, context.batch.capacity, n_forced + context.n_rows - 1) - n_forced)
        return tree if len(tree) <= self._hidden_seq else tree.with_leaves(self._hidden_seq)

    def verify(self, forced: Sequence[int], tree: DraftTree) -> NDArray[np.float32]:
        """``submit``, then ``result``."""
        self.submit(forced, tree)
        return self.result()

    def submit(self, forced: Sequence[int], tree: DraftTree) -> None:
        """Have ``forced`` (known tokens not cached yet, at least one) and ``tree`` below its end computed.

        A GPU computes on its own after this returns. Nothing counts as cached until ``keep`` says what was
        accepted.
        """
        batch = self.context.batch
        base, n_forced, n = len(self.tokens), len(forced), len(tree)
        total = n_forced + n
        batch.token[:n_forced] = forced
        batch.pos[:n_forced] = np.arange(base, base + n_forced)
        batch.logits[: n_forced - 1] = 0
        batch.logits[n_forced - 1 : total] = 1
        if n == 0:
            batch.n_seq_id[:total] = 1
            batch.seq_id[:total, 0] = 0
        else:
            sequences = self._sequences
            sequences.assign(tree)
            n_seq = sequences.n
            self._show_prefix_to(n_seq)
            batch.token[n_forced:total] = tree.tokens
            np.add(sequences.depths[:n], base + n_forced - 1, out=batch.pos[n_forced:total])
            batch.n_seq_id[:n_forced] = n_seq
            batch.seq_id[:n_forced, :n_seq] = self._all[:n_seq]
            batch.n_seq_id[n_forced:total] = sequences.counts[:n]
            batch.seq_id[n_forced:total, : sequences.n_seq] = sequences.ids[:n]
        start = perf_counter()
        self._decode(total)
        self.decode_s = perf_counter() - start
        self._tree, self._forced = tree, forced

    def result(self) -> NDArray[np.float32]:
        """The logits of what was submitted: the last forced token's row, then the nodes'; (1 + n, n_vocab).

        A view (see Context.logits for how long it lasts).
        """
        assert self._tree is not None, "result follows submit"
        start = perf_counter()
        logits = self.context.logits(1 + len(self._tree))  # waits for a GPU
        wait_s = perf_counter() - start
        self.decode_s += wait_s
        self.waited = self.computes_apart and wait_s > WAITED_S
        return logits

    def keep(self, path: Sequence[int]) -> int:
        """Settle the last ``verify``: keep the forced tokens and as much of ``path`` as may stay.

        ``path`` holds the accepted nodes. Returns how many of them stay cached; the others are dropped and
        must be sent again as forced tokens.
        """
        tree = self._tree
        assert tree is not None, "keep follows verify"
        base = len(self.tokens) + len(self._forced)
        kept = self._in_order(path)
        end = base + kept
        if len(tree):
            self._settle(tree, path[:kept], base)
        self._held[0] = end
        self.tokens.extend(self._forced)
        self.tokens.extend(tree.tokens[list(path[:kept])].tolist())
        self._tree = None
        return kept

    def _in_order(self, path: Sequence[int]) -> int:
        """How many nodes of ``path`` can stay: those whose gaps are short enough and have room."""
        kept = len(path)
        if self.context.keeps_order:
            longest = min(LONGEST_GAP, self.context.n_spare - self.hidden)
            while kept and path[kept - 1] + 1 - kept > longest:
                kept -= 1
        return kept

    def _settle(self, tree: DraftTree, path: Sequence[int], base: int) -> None:
        """Show the kept ``path`` to sequence 0, hide the nodes between its nodes, free all others."""
        # How much of the kept path each sequence sees.
        shared = [0] * self._sequences.n
        for length, node in enumerate(path, 1):
            for seq in self._sequences.of(node).tolist():
                shared[seq] = length
        if len(path) < len(tree):
            self._reject(path, shared, base)
        self._held[: len(shared)] = [base + length for length in shared]

    def _reject(self, path: Sequence[int], shared: list[int], base: int) -> None:
        """Leave of a tree just the kept ``path``; ``shared`` says how much of it each sequence sees."""
        context, kept = self.context, len(path)
        end = base + kept
        if kept:
            seen_by = shared.index(kept)
            if context.keeps_order:
                self._hide(path, base)
            if seen_by:
                context.remove(0, base + shared[0], END)
                context.copy(seen_by, 0, base + shared[0], end)
                shared = [kept, *shared[1:]]
        if all(place < end for _, place in self._gaps):
            # One pass for all sequences.
            context.remove(ALL_SEQUENCES, end, END)
            stop, astray = end, [seq for seq, length in enumerate(shared) if length < kept]
        else:
            stop, astray = END, list(range(len(shared)))
        for seq in astray:
            context.remove(seq, base + shared[seq], stop)

    def _hide(self, path: Sequence[int], base: int) -> None:
        """Give the rejected nodes before the end of ``path`` to a sequence that nothing attends to."""
        for node in set(range(path[-1])).difference(path):
            place = base + int(self._sequences.depths[node]) - 1
            self.context.copy(int(self._sequences.of(node)[0]), self._hidden_seq, place, place + 1)
            self._gaps.append((base, place))

    def _show_prefix_to(self, n_seq: int) -> None:
        length, held = len(self.tokens), self._held
        for seq in range(1, n_seq):
            if held[seq] < length:
                self.context.copy(0, seq, held[seq], length)
                held[seq] = length

    def _decode(self, n_tokens: int) -> None:
        try:
            self.context.decode(n_tokens)
        except BaseException:
            # A failed or interrupted batch may have left cells of any sequence.
            self.truncate(len(self.tokens))
            raise
