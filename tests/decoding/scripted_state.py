"""A context without a model that keeps a state of the text, with all the traps that llama.cpp has there."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.decoding.scripted import N_VOCAB, next_logits
from trchat.decoding.state_cache import StateContext
from trchat.llama.batch import END, Batch
from trchat.llama.context import Context

STRANGE = -1
"""Stands in a state for whatever is computed from a wrong one."""


@dataclass
class ScriptedState:
    """``snapshots`` as llama.cpp's ``n_rs_seq``; without them a state can be copied to sequence 1.

    A state is the text that it sums up. What llama.cpp does not check gives wrong logits here too.
    """

    n_ctx: int = 512
    snapshots: int = 0
    saves_state: bool = True
    computes_apart: bool = False
    n_rows: int = 100
    states: dict[int, list[int]] = field(default_factory=dict)
    keys: list[int] = field(default_factory=list)
    """The text that attention sees, of sequence 0; None after a hole."""
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    fail_at: int | None = None
    decodes: int = 0
    batches: list[int] = field(default_factory=list)
    """How many tokens each decode had."""

    def __post_init__(self) -> None:
        self.n_seq = 1 if self.snapshots else 2
        self.batch = Batch(128, 1)
        self._rows = np.zeros((0, N_VOCAB), np.float32)
        self._written = 0  # snapshots of the last batch
        self._pending = False

    def decode(self, n_tokens: int) -> None:
        self.decodes += 1
        self.batches.append(n_tokens)
        batch, rows = self.batch, []
        assert 0 < n_tokens <= batch.capacity
        assert (batch.n_seq_id[:n_tokens] == 1).all() and (batch.seq_id[:n_tokens, 0] == 0).all()
        assert batch.logits[:n_tokens].sum() <= self.n_rows
        text = list(self.states.get(0, []))
        assert len(text) + n_tokens <= self.n_ctx, "context full"
        assert len(text) == len(self.keys), "keys and state part"
        for i in range(n_tokens):
            assert batch.pos[i] == len(text)
            text.append(int(batch.token[i]))
            self.keys.append(int(batch.token[i]))
            if self.fail_at == self.decodes and i == n_tokens // 2:
                self.states[0] = text
                raise RuntimeError("decode failed")
            if batch.logits[i]:
                assert self.keys == [max(token, 0) for token in text] or STRANGE in text
                rows.append(next_logits(text))
        self.states[0] = text
        self._written, self._pending = min(n_tokens, self.snapshots + 1), False
        self._rows = np.array(rows, np.float32).reshape(-1, N_VOCAB)

    def logits(self, n_rows: int) -> NDArray[np.float32]:
        assert len(self._rows) == n_rows
        return self._rows

    def remove(self, seq: int, start: int, stop: int = END) -> bool:
        self.calls.append(("remove", seq, start, stop))
        assert stop == END
        text = self.states.get(seq, [])
        if start == 0:
            self.states.pop(seq, None)
            self._pending = self._pending and seq != 0
        elif start < len(text):
            back = len(text) - start
            if self._pending or back > self.snapshots:
                return False
            # A snapshot that the last batch has not written is an older one's.
            self.states[seq] = text[:start] if back < self._written else [STRANGE] * start
            self._pending = True
        if seq == 0:
            del self.keys[start:]
        return True

    def copy(self, source: int, target: int, start: int, stop: int) -> None:
        self.calls.append(("copy", source, target, start, stop))
        assert (start, stop) == (0, END)
        text = list(self.states.get(source, []))
        self.states[target] = [STRANGE] * len(text) if self._pending else text
        if target == 0:
            self.keys = list(text)

    def save(self, seq: int = 0, *, whole: bool = False) -> NDArray[np.uint8]:
        assert seq == 0 and not whole
        return np.array(self.states.get(0, []), np.uint8)

    def restore(self, saved: NDArray[np.uint8], seq: int = 0, *, whole: bool = False) -> bool:
        assert seq == 0 and not whole
        self.states[0] = saved.tolist()
        self._written, self._pending = 1, False
        return True

    def clear(self) -> None:
        self.states, self.keys, self._written, self._pending = {}, [], 0, False


def contexts(real: Context, scripted: ScriptedState) -> list[StateContext]:
    """For the type checker: a cache takes one as well as the other."""
    return [real, scripted]
