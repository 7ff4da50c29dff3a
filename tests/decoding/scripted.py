"""A context without a model: it keeps cells as llama.cpp does and answers by a rule of the visible text.

What a token sees is worked out from cells, positions and sequence ids alone, as llama.cpp's attention mask
does. A row of logits depends on every visible token in the order of its cells, so one stale, missing or
misplaced cell changes what is said. All rows are written to one place, as llama.cpp does: where it
``computes_apart``, at any time before they are asked for.
"""

import functools
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trchat.decoding.kv_cache import TreeContext
from trchat.llama.batch import ALL_SEQUENCES, END, Batch
from trchat.llama.context import Context

N_VOCAB = 16

Rows = NDArray[np.float32]


@dataclass
class Cell:
    """``mask`` has a bit for each of its sequences."""

    token: int
    pos: int
    mask: int

    @property
    def seqs(self) -> set[int]:
        return set(_numbers(self.mask))


def _numbers(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def next_logits(text: Sequence[int]) -> Rows:
    """Logits after ``text`` (a sequence of tokens): random, but a function of all of it."""
    return _row(zlib.crc32(np.array(text, np.int32).tobytes()))


@functools.lru_cache(maxsize=1 << 16)
def _row(seed: int) -> Rows:
    row = np.random.default_rng(seed).standard_normal(N_VOCAB).astype(np.float32)
    row.flags.writeable = False
    return row


def plain_greedy(prompt: Sequence[int], n_tokens: int, end_tokens: Collection[int] = ()) -> list[int]:
    """What plain decoding writes."""
    text = list(prompt)
    for _ in range(n_tokens):
        text.append(int(next_logits(text).argmax()))
        if text[-1] in end_tokens:
            break
    return text[len(prompt) :]


@dataclass
class ScriptedContext:
    n_ctx: int = 512
    n_spare: int = 64
    keeps_order: bool = True
    window: int = 0
    computes_apart: bool = False
    n_seq: int = 64
    n_rows: int = 100
    cells: list[Cell | None] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    fail_at: int | None = None
    decodes: int = 0
    said: dict[bytes, list[int]] = field(default_factory=dict)
    """The bytes of each row of logits -> the text it was computed after."""

    def __post_init__(self) -> None:
        self.batch = Batch(128, self.n_seq)
        self._place = np.zeros((self.batch.capacity, N_VOCAB), np.float32)
        self._rows = self._computed = self._place[:0]

    def decode(self, n_tokens: int) -> None:
        self.decodes += 1
        batch, rows = self.batch, []
        wanted = batch.logits[:n_tokens].tolist()
        assert sum(wanted) <= self.n_rows  # llama.cpp would end the process
        self._make_room(n_tokens)
        free = [index for index, cell in enumerate(self.cells) if cell is None]
        last = self._last_positions()
        tokens, places = batch.token[:n_tokens].tolist(), batch.pos[:n_tokens].tolist()
        counts = batch.n_seq_id[:n_tokens].tolist()
        first = batch.seq_id[:n_tokens, 0].tolist()
        for i, (token, pos, count) in enumerate(zip(tokens, places, counts, strict=True)):
            seqs = batch.seq_id[i, :count].tolist()
            assert len(set(seqs)) == count > 0
            # llama.cpp refuses a batch in which a sequence skips or repeats a position.
            wrong = {seq: last[seq] for seq in seqs if last[seq] != pos - 1}
            assert not wrong, f"these sequences hold up to {wrong}, not {pos - 1}"
            for seq in seqs:
                last[seq] = pos
            self.cells[free[i]] = Cell(token, pos, sum(1 << seq for seq in seqs))
        if self.fail_at == self.decodes:
            raise RuntimeError("decode failed")
        for pos, seq, is_wanted in zip(places, first, wanted, strict=True):
            if is_wanted:
                text = self.visible(pos, seq)
                rows.append(next_logits(text))
                self.said[rows[-1].tobytes()] = text
        self._computed = np.array(rows, np.float32).reshape(-1, N_VOCAB)
        if not self.computes_apart or self.decodes % 2:
            self._finish()

    def _finish(self) -> None:
        self._rows = self._place[: len(self._computed)]
        self._rows[:] = self._computed

    def visible(self, pos: int, seq: int) -> list[int]:
        """Tokens that a query of ``seq`` at ``pos`` attends to, in cell order."""
        bit = 1 << seq
        seen = [cell for cell in self.cells if cell and cell.mask & bit and cell.pos <= pos]
        if not self.keeps_order:
            seen.sort(key=lambda cell: cell.pos)
        assert [cell.pos for cell in seen] == list(range(pos + 1)), "a hole, a stranger, or a wrong order"
        return [cell.token for cell in seen]

    def _make_room(self, n_tokens: int) -> None:
        short = n_tokens - self.cells.count(None)
        assert len(self.cells) + short <= self.n_ctx + self.n_spare, "context full"
        self.cells += [None] * short

    def _last_positions(self) -> list[int]:
        """The last position of each sequence, -1 where there is none."""
        last = [-1] * self.n_seq
        missing = (1 << self.n_seq) - 1
        for cell in sorted(filter(None, self.cells), key=lambda cell: cell.pos, reverse=True):
            for seq in _numbers(cell.mask & missing):
                last[seq] = cell.pos
            missing &= ~cell.mask
            if not missing:
                break
        return last

    def logits(self, n_rows: int) -> Rows:
        self._finish()
        assert len(self._rows) == n_rows
        return self._rows

    def remove(self, seq: int, start: int, stop: int = END) -> bool:
        self.calls.append(("remove", seq, start, stop))
        left = 0 if seq == ALL_SEQUENCES else ~(1 << seq)
        for index, cell in enumerate(self.cells):
            if cell and cell.pos >= start and (stop == END or cell.pos < stop):
                cell.mask &= left
                if not cell.mask:
                    self.cells[index] = None
        return True

    def copy(self, source: int, target: int, start: int, stop: int) -> None:
        self.calls.append(("copy", source, target, start, stop))
        for cell in self.cells:
            if cell and cell.mask >> source & 1 and start <= cell.pos < stop:
                cell.mask |= 1 << target

    def save(self, seq: int = 0, *, whole: bool = False) -> NDArray[np.uint8]:
        """As llama.cpp does: cells in their order, without those out of reach of the last one."""
        assert whole
        held = [cell for cell in self.cells if cell and cell.mask >> seq & 1]
        last = self._last_positions()[seq]
        held = [cell for cell in held if not self.window or last - cell.pos < self.window]
        return np.array([(cell.token, cell.pos) for cell in held], np.int32).reshape(-1).view(np.uint8)

    def restore(self, saved: NDArray[np.uint8], seq: int = 0, *, whole: bool = False) -> bool:
        assert whole
        self.remove(seq, 0)
        cells = saved.view(np.int32).reshape(-1, 2).tolist()
        self._make_room(len(cells))
        free = [index for index, cell in enumerate(self.cells) if cell is None]
        for index, (token, pos) in zip(free, cells, strict=False):
            self.cells[index] = Cell(token, pos, 1 << seq)
        return True

    def span(self, seq: int) -> tuple[int, int]:
        places = [cell.pos for cell in self.cells if cell and cell.mask >> seq & 1]
        return (min(places), max(places)) if places else (-1, -1)

    def clear(self) -> None:
        self.cells = []


def contexts(real: Context, scripted: ScriptedContext) -> list[TreeContext]:
    """For the type checker: a cache takes one as well as the other."""
    return [real, scripted]
