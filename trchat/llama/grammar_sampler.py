"""What a grammar does to sampling: which tokens may come next. llama.cpp's own grammars (GBNF)."""

import ctypes
from typing import Any, Protocol

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from trchat.errors import UsageError

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


class Constraint(Protocol):
    """What an answer must follow, along that answer."""

    def allows(self, token: int) -> bool:
        """Whether ``token`` may come next; a microsecond, where a whole vocabulary takes milliseconds."""

    def allowed(self, row: NDArray[np.float32]) -> NDArray[np.int32]:
        """Tokens that may come next, the likeliest ones of ``row`` (n_vocab,) among them.

        Where that is easier they are too many: ``allows`` has the last word.
        """

    def accept(self, token: int) -> None:
        """Go on behind ``token``, which must be allowed."""

    def forced(self) -> list[int]:
        """What must come next, whatever the model thinks; the state goes on behind it."""

    def close(self) -> None:
        """Free it. May be called twice."""


class GrammarSampler:
    """A GBNF grammar along one answer, by llama.cpp. Free it with ``close()``."""

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
        return len(self._allowed(np.array([token], np.int32))) == 1

    def allowed(self, row: NDArray[np.float32]) -> NDArray[np.int32]:
        """The allowed ones of the likeliest tokens of ``row``; of all tokens only where none of those is."""
        if len(row) > SHORT_LIST:
            likeliest = np.sort(np.argpartition(row, -SHORT_LIST)[-SHORT_LIST:]).astype(np.int32)
            allowed = self._allowed(likeliest)
            if len(allowed):
                return allowed
        return self._allowed(np.arange(len(row), dtype=np.int32))

    def accept(self, token: int) -> None:
        """Go on behind ``token``, which must be allowed."""
        llama.llama_sampler_accept(self._sampler, token)

    def forced(self) -> list[int]:
        """Nothing: llama.cpp does not tell."""
        return []

    def _allowed(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        candidates = Candidates.of(ids, np.zeros(len(ids), np.float32))
        candidates.apply(self._sampler)
        possible: NDArray[np.int32] = candidates.array["id"][candidates.array["logit"] != -np.inf]
        return possible
