"""llama.cpp's grammar sampler: which of a row's tokens may come next."""

import ctypes
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from trchat.errors import TrchatError, UsageError

SHORT_LIST = 1024
"""Tokens that are looked at first where the likeliest is not allowed."""

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""``llama_token_data``."""


class Candidates:
    """Tokens with their logits as llama.cpp's samplers take them, which may reorder and cut the array."""

    def __init__(self, array: NDArray[Any]) -> None:
        """``array`` is of type CANDIDATE."""
        self.array = array
        self._struct = llama.llama_token_data_array()
        self._struct.data = array.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))

    @classmethod
    def of(cls, ids: NDArray[np.int32], logits: NDArray[np.float32]) -> "Candidates":
        """Those tokens, with these logits."""
        array = np.zeros(len(ids), CANDIDATE)
        array["id"] = ids
        array["logit"] = logits
        return cls(array)

    def apply(self, sampler: Any, n: int | None = None) -> None:
        """Run one sampler, or a chain of them, over the candidates, or the first ``n`` of them."""
        self._struct.size = len(self.array) if n is None else n
        self._struct.selected = -1
        self._struct.sorted = False
        llama.llama_sampler_apply(sampler, ctypes.byref(self._struct))

    @property
    def selected(self) -> int:
        """The token that the last sampler of a chain chose."""
        return int(self._struct.data[self._struct.selected].id)


class GrammarSampler:
    """The state of one grammar along one answer. Free it with ``close()``."""

    def __init__(self, vocab: Any, grammar: str) -> None:
        """``vocab`` is llama.cpp's pointer; raises UsageError for a grammar that it does not take."""
        self._sampler: Any = llama.llama_sampler_init_grammar(vocab, grammar.encode("utf-8"), b"root")
        if not self._sampler:
            raise UsageError("llama.cpp does not take this grammar with this model's vocabulary")

    def close(self) -> None:
        """Free it. May be called twice."""
        if self._sampler:
            llama.llama_sampler_free(self._sampler)
            self._sampler = None

    def allows(self, token: int) -> bool:
        """Whether ``token`` may come next; a microsecond, where a whole vocabulary takes 5 to 25 ms."""
        return len(self._allowed(np.array([token], np.int32), np.zeros(1, np.float32))) == 1

    def candidates(self, row: NDArray[np.float32]) -> Candidates:
        """The allowed ones of the likeliest tokens of ``row``; of all tokens only where none of those is.

        Raises TrchatError where the grammar allows no token at all.
        """
        if len(row) > SHORT_LIST:
            ids = np.sort(np.argpartition(row, -SHORT_LIST)[-SHORT_LIST:]).astype(np.int32)
            allowed = self._allowed(ids, row[ids])
            if len(allowed):
                return Candidates.of(allowed["id"], allowed["logit"])
        allowed = self._allowed(np.arange(len(row), dtype=np.int32), row)
        if not len(allowed):
            raise TrchatError("the grammar allows nothing that this model's vocabulary can write")
        return Candidates.of(allowed["id"], allowed["logit"])

    def accept(self, token: int) -> None:
        """Go on behind ``token``, which must be allowed."""
        llama.llama_sampler_accept(self._sampler, token)

    def _allowed(self, ids: NDArray[np.int32], logits: NDArray[np.float32]) -> NDArray[Any]:
        candidates = Candidates.of(ids, logits)
        candidates.apply(self._sampler)
        possible: NDArray[Any] = candidates.array[candidates.array["logit"] != -np.inf]
        return possible
