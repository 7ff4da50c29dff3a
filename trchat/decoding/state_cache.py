"""Keeps the state of a recurrent or hybrid model at the end of the text while drafts come and go.

Such a model sums up the text in a state, which cannot branch within a batch: a draft is a chain. Nor can a
state go back by itself. Where llama.cpp keeps a snapshot for each of the last tokens (``context.snapshots``),
a step takes rejected tokens back. Else the state is copied before a draft; if not all of it is accepted, the
copy takes its place, and what the step knows by then is sent again ahead of the next draft. To go back
further, as a regenerated answer or an edited question does, states are saved at the places that a
conversation comes back to (see trchat.decoding.saved_states).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trchat.decoding.kv_cache import WAITED_S, KVCache, common_length
from trchat.decoding.saved_states import SavedStates
from trchat.llama.batch import END, Batch
from trchat.recycling.tree import DraftTree

_MOST_AGAIN = 4
"""Known tokens in a batch above which nothing is drafted, so that they are settled: each one that is sent
again makes the next rejection dearer. With 4, simulated decoding is within a few hundredths of the best limit
for drafts that are right in 30 to 90 % and further tokens that cost 5 to 35 % of the first."""

_TEXT, _COPY = 0, 1  # sequences

_LAST_PLACES = 4
"""Of the places that can be gone back to, as many of the last are kept with a text, and the first: the end of
the system prompt. Each takes some 50 MB of a model with nine billion parameters."""


class StateContext(Protocol):
    """What is needed of a llama.cpp context (see trchat.llama.context)."""

    n_ctx: int
    computes_apart: bool
    n_seq: int
    n_rows: int
    snapshots: int
    saves_state: bool
    batch: Batch

    def decode(self, n_tokens: int) -> None: ...  # noqa: D102

    def logits(self, n_rows: int) -> NDArray[np.float32]: ...  # noqa: D102

    def remove(self, seq: int, start: int, stop: int = END) -> bool: ...  # noqa: D102

    def copy(self, source: int, target: int, start: int, stop: int) -> None: ...  # noqa: D102

    def clear(self) -> None: ...  # noqa: D102

    def save(self, seq: int = 0, *, whole: bool = False) -> NDArray[np.uint8]: ...  # noqa: D102

    def restore(self, saved: NDArray[np.uint8], seq: int = 0, *, whole: bool = False) -> bool: ...  # noqa: D102


class StateCache:
    """The one owner of what such a context holds; see KVCache, whose interface it has.

    Attributes:
        tokens: the text that the state sums up.
        again: tokens of the last step that were known and are to be sent once more, ahead of what it emitted.
        decode_s, waited: see KVCache.
    """

    goes_back = False
    """Whether it can go back to any place without one having been saved there."""
    span = 0
    """What is saved is all of the text, see ``save_span``."""

    def __init__(self, context: StateContext, budget: int = 0) -> None:
        """Saved states take up to ``budget`` bytes."""
        self.context = context
        self.tokens: list[int] = []
        self.again: Sequence[int] = ()
        self.decode_s = 0.0
        self.waited = False
        self._saved: SavedStates[NDArray[np.uint8]] = SavedStates(budget if context.saves_state else 0)
        self._tree: DraftTree | None = None
        self._forced: Sequence[int] = ()
        self._within_reach = 0  # tokens at the end that snapshots can take back
        self._most_rows = 0  # of any batch so far

    @property
    def room(self) -> int:
        """Tokens that still fit."""
        return self.context.n_ctx - len(self.tokens)

    @property
    def longest_known(self) -> int:
        """Known tokens that may be sent ahead of a chain in one batch."""
        return self.context.batch.capacity // 2

    @property
    def computes_apart(self) -> bool:
        """Whether the model computes beside this program, on a GPU, between ``submit`` and ``result``."""
        return self.context.computes_apart

    @property
    def hidden(self) -> int:
        """Cells that are gaps: there are none."""
        return 0

    def room_for_drafts(self, n_forced: int) -> int:
        """Nodes that a draft behind ``n_forced`` known tokens may have."""
        context = self.context
        longest = context.snapshots
        if not longest:
            if context.n_seq <= _COPY or n_forced > _MOST_AGAIN:
                return 0
            longest = context.n_rows - 1
        return min(longest, context.n_rows - 1, self.room - n_forced, context.batch.capacity - n_forced)

    def fitting(self, tree: DraftTree, n_forced: int) -> DraftTree:
        """As much of ``tree``'s leading chain as may stand behind ``n_forced`` known tokens."""
        return tree.first(min(tree.chain, max(self.room_for_drafts(n_forced), 0)))

    def moves_rows(self, n_rows: int) -> bool:
        """Whether the next batch, with so many rows of logits, gives them another place in memory."""
        return n_rows > self._most_rows

    def reuse(self, tokens: Sequence[int]) -> int:
        """Keep a common prefix with ``tokens``, as long as there is a state for it; returns its length.

        The last of ``tokens`` is never counted, so that there is something left to compute logits from.
        """
        common = common_length(self.tokens, tokens[:-1])
        if common < len(self.tokens) or self._tree is not None:
            self.truncate(common)
        return len(self.tokens)

    def reachable(self, length: int) -> int:
        """Where ``truncate`` to ``length`` would come to."""
        if 0 <= len(self.tokens) - length <= self._within_reach:
            return length
        return max((place for place in self._saved.positions if place <= length), default=0)

    def truncate(self, length: int) -> None:
        """Go back to position ``length``, or to the last place before it that there is a state for."""
        ahead = 0 if self._tree is None else len(self._forced) + len(self._tree)
        back = len(self.tokens) + ahead - length
        if back > 0:
            if length and back <= self._within_reach and self.context.remove(_TEXT, length):
                del self.tokens[length:]
                self._saved.truncate(length)
            else:
                self._go_back(length)
            self._within_reach = 0
        self._tree, self.again = None, ()

    def _go_back(self, length: int) -> None:
        self._saved.truncate(length)
        position, state = self._saved.last
        if self.context.n_seq > _COPY:
            self.context.remove(_COPY, 0)
        if state is not None and self.context.restore(state) and self.context.remove(_TEXT, position):
            del self.tokens[position:]
        else:
            self.context.clear()
            self.tokens = []
            self._saved.truncate(0)

    def prefill(self, tokens: Sequence[int], points: Sequence[int] = ()) -> Iterator[int]:
        """Append ``tokens`` batch by batch; yields how many are done after each batch.

        ``points`` are positions, in any order, that the conversation may come back to: states are saved
        there.
        """
        batch, base = self.context.batch, len(self.tokens)
        wanted = {point - base for point in points}
        stops = [*sorted(stop for stop in wanted if 0 < stop < len(tokens)), len(tokens)]
        start = 0
        while start < len(tokens):
            stop = min(start + batch.capacity, next(stop for stop in stops if stop > start))
            n = stop - start
            batch.token[:n] = tokens[start:stop]
            batch.pos[:n] = np.arange(base + start, base + stop)
            batch.n_seq_id[:n] = 1
            batch.seq_id[:n, 0] = _TEXT
            batch.logits[:n] = 0
            batch.logits[n - 1] = 1  # llama.cpp wants at least one row
            self._decode(n, 1)
            self.tokens.extend(tokens[start:stop])
            if stop in wanted:
                self._saved.add(base + stop, self.context.save)
            start = stop
            yield start

    def save_span(self, start: int, stop: int) -> tuple[list[int], list[NDArray[np.uint8]]]:
        """A copy of all there is, of the tokens [0, all): places that can be gone back to, and the parts.

        The first part is all that is cached; the others are the states at those places. No parts where
        llama.cpp saves no states.
        """
        if not self.context.saves_state or (start, stop) != (0, len(self.tokens)):
            return [], []
        self.truncate(stop)  # whatever an interrupted step left behind
        if len(self.tokens) != stop or not len(whole := self.context.save(_TEXT, whole=True)):
            return [], []
        places, states = self._saved.positions, self._saved.states
        first, last = slice(0, 1), slice(max(len(places) - _LAST_PLACES, 1), None)
        return [*places[first], *places[last]], [whole, *states[first], *states[last]]

    def load_span(
        self, tokens: Sequence[int], points: Sequence[int], parts: Sequence[NDArray[np.uint8]]
    ) -> bool:
        """Have what ``save_span`` returned of ``tokens`` take the place of all there is.

        False, and nothing is left, when it does not fit or llama.cpp does not take it.
        """
        self.context.clear()
        self.tokens, self.again, self._tree, self._within_reach = [], (), None, 0
        self._saved.truncate(0)
        if len(parts) != len(points) + 1 or len(tokens) > self.context.n_ctx:
            return False
        if not self.context.restore(parts[0], _TEXT, whole=True):
            self.context.clear()
            return False
        self.tokens = list(tokens)
        for place, state in zip(points, parts[1:], strict=True):
            self._saved.add(place, partial(np.copy, state))
        return True

    def verify(self, forced: Sequence[int], tree: DraftTree) -> NDArray[np.float32]:
        """``submit``, then ``result``."""
        self.submit(forced, tree)
        return self.result()

    def submit(self, forced: Sequence[int], tree: DraftTree) -> None:
        """Have ``forced`` (known tokens, at least one) and the chain ``tree`` behind them computed."""
        assert tree.chain == len(tree), "a state cannot branch"
        batch = self.context.batch
        n_forced, n = len(forced), len(tree)
        total, base = n_forced + n, len(self.tokens)
        batch.token[:n_forced] = forced
        batch.token[n_forced:total] = tree.tokens
        batch.pos[:total] = np.arange(base, base + total)
        batch.logits[: n_forced - 1] = 0
        batch.logits[n_forced - 1 : total] = 1
        batch.n_seq_id[:total] = 1
        batch.seq_id[:total, 0] = _TEXT
        start = perf_counter()
        if n and not self.context.snapshots:
            self.context.remove(_COPY, 0)
            self.context.copy(_TEXT, _COPY, 0, END)
        self._tree, self._forced = tree, forced
        self._decode(total, 1 + n)
        self.decode_s = perf_counter() - start

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
        """Settle the last ``verify``: ``path`` holds the accepted nodes.

        Returns how many of them stay cached; the others, and before them the tokens in ``again``, must be
        sent again as forced tokens.
        """
        tree, forced = self._tree, self._forced
        assert tree is not None, "keep follows verify"
        kept, rejected = len(path), len(tree) - len(path)
        end = len(self.tokens) + len(forced) + kept
        if rejected and not self.context.snapshots:
            self.context.remove(_TEXT, 0)
            self.context.copy(_COPY, _TEXT, 0, END)
            self._tree, self.again = None, forced
            return 0
        if rejected:
            if not self.context.remove(_TEXT, end):
                raise RuntimeError("llama.cpp does not take back a draft")
            self._within_reach = 0  # once for each batch
        self.tokens.extend(forced)
        self.tokens.extend(tree.tokens[:kept].tolist())
        self._tree, self.again = None, ()
        return kept

    def _decode(self, n_tokens: int, n_rows: int) -> None:
        try:
            self.context.decode(n_tokens)
        except BaseException:
            # Of a failed or interrupted batch, some may be in the state.
            self._tree, self.again, self._within_reach = None, (), 0
            self._go_back(len(self.tokens))
            raise
        self._most_rows = max(self._most_rows, n_rows)
        # A batch leaves snapshots of its own tokens only; llama.cpp does not check that.
        self._within_reach = min(self.context.snapshots, n_tokens - 1)


Cache = KVCache | StateCache
