"""A context without a model: it keeps cells as llama.cpp does and answers by a rule of the visible text.

What a token sees is worked out from cells, positions and sequence ids alone, as llama.cpp's attention mask
does. A row of logits depends on every visible token in the order of its cells, so one stale, missing or
misplaced cell changes what is said. All rows are written to one place, as llama.cpp does: where it
``computes_apart``, at any time before they are asked for.
"""

import functools
import zlib
from dataclasses import dataclass, field

import numpy as np

from trchat.llama.batch import ALL_SEQUENCES, END, Batch

N_VOCAB = 16


@dataclass
class Cell:
    token: int
    pos: int
    seqs: set[int]


def next_logits(text):
    """Logits after ``text`` (a sequence of tokens): random, but a function of all of it."""
    return _row(zlib.crc32(np.array(text, np.int32).tobytes()))


@functools.lru_cache(maxsize=1 << 16)
def _row(seed):
    row = np.random.default_rng(seed).standard_normal(N_VOCAB).astype(np.float32)
    row.flags.writeable = False
    return row


def plain_greedy(prompt, n_tokens, end_tokens=()):
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
    computes_apart: bool = False
    n_seq: int = 64
    n_rows: int = 100
    batch: Batch = None
    cells: list = None
    calls: list = field(default_factory=list)
    fail_at: int | None = None
    decodes: int = 0
    said: dict = field(default_factory=dict)
    """The bytes of each row of logits -> the text it was computed after."""

    def __post_init__(self):
        self.batch = Batch(128, self.n_seq)
        self.clear()
        self._place = np.zeros((self.batch.capacity, N_VOCAB), np.float32)
        self._rows = self._place[:0]

    def decode(self, n_tokens):
        self.decodes += 1
        batch, rows = self.batch, []
        assert batch.logits[:n_tokens].sum() <= self.n_rows  # llama.cpp would end the process
        self._make_room(n_tokens)
        free = [index for index, cell in enumerate(self.cells) if cell is None]
        last = self._last_positions()
        for i in range(n_tokens):
            seqs, pos = set(batch.seq_id[i, : batch.n_seq_id[i]].tolist()), int(batch.pos[i])
            assert len(seqs) == batch.n_seq_id[i] > 0
            # llama.cpp refuses a batch in which a sequence skips or repeats a position.
            wrong = {seq: last[seq] for seq in seqs if last[seq] != pos - 1}
            assert not wrong, f"these sequences hold up to {wrong}, not {pos - 1}"
            last.update(dict.fromkeys(seqs, pos))
            self.cells[free[i]] = Cell(int(batch.token[i]), pos, seqs)
        if self.fail_at == self.decodes:
            raise RuntimeError("decode failed")
        for i in range(n_tokens):
            if batch.logits[i]:
                text = self.visible(int(batch.pos[i]), int(batch.seq_id[i, 0]))
                rows.append(next_logits(text))
                self.said[rows[-1].tobytes()] = text
        self._computed = np.array(rows, np.float32).reshape(-1, N_VOCAB)
        if not self.computes_apart or self.decodes % 2:
            self._finish()

    def _finish(self):
        self._rows = self._place[: len(self._computed)]
        self._rows[:] = self._computed

    def visible(self, pos, seq):
        """Tokens that a query of ``seq`` at ``pos`` attends to, in cell order."""
        seen = [cell for cell in self.cells if cell and seq in cell.seqs and cell.pos <= pos]
        if not self.keeps_order:
            seen.sort(key=lambda cell: cell.pos)
        assert [cell.pos for cell in seen] == list(range(pos + 1)), "a hole, a stranger, or a wrong order"
        return [cell.token for cell in seen]

    def _make_room(self, n_tokens):
        short = n_tokens - self.cells.count(None)
        assert len(self.cells) + short <= self.n_ctx + self.n_spare, "context full"
        self.cells += [None] * short

    def _last_positions(self):
        last = dict.fromkeys(range(self.n_seq), -1)
        for cell in filter(None, self.cells):
            for seq in cell.seqs:
                last[seq] = max(last[seq], cell.pos)
        return last

    def logits(self, n_rows):
        self._finish()
        assert len(self._rows) == n_rows
        return self._rows

    def remove(self, seq, start, stop=END):
        self.calls.append(("remove", seq, start, stop))
        for index, cell in enumerate(self.cells):
            if cell and cell.pos >= start and (stop == END or cell.pos < stop):
                if seq == ALL_SEQUENCES:
                    cell.seqs.clear()
                cell.seqs.discard(seq)
                if not cell.seqs:
                    self.cells[index] = None
        return True

    def copy(self, source, target, start, stop):
        self.calls.append(("copy", source, target, start, stop))
        for cell in self.cells:
            if cell and source in cell.seqs and start <= cell.pos < stop:
                cell.seqs.add(target)

    def clear(self):
        self.cells = []
