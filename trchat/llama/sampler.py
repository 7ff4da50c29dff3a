"""llama.cpp's sampler chain: from one row of logits to the token that is emitted."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from trchat.errors import TrchatError
from trchat.llama.context import Context
from trchat.llama.grammar_sampler import Candidates, GrammarSampler
from trchat.llama.owned import Owned
from trchat.llama.sampling import Sampling

PENALTY_WINDOW = 64


class SamplerChain(Owned):
    """The chain for one answer. Free it with ``close()`` or use it as a context manager.

    It is run exactly once for every emitted token, in order, whether that token was drafted or not, so the
    random stream, the penalties and the text are the same with and without drafts.

    A grammar is asked last, as llama.cpp's own programs do: the chain chooses freely, and only when that
    choice is not allowed does it choose again, among the allowed. Mostly it is allowed, which takes a
    microsecond to see; masking the whole vocabulary takes longer than many a model takes for a token.
    """

    def __init__(self, context: Context, sampling: Sampling, prompt: Sequence[int]) -> None:
        """``prompt`` (token ids) counts as recent text for the repeat penalty."""
        self._context = context
        self._end_tokens = context.model.end_tokens
        self._ids = np.arange(context.model.n_vocab, dtype=np.int32) if sampling.grammar else None
        self._grammar = GrammarSampler(context.model.vocab, sampling.grammar) if sampling.grammar else None
        self._greedy = sampling.temperature == 0
        self._plain_greedy = self._greedy and sampling.repeat_penalty == 1
        params = llama.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain: Any = llama.llama_sampler_chain_init(params)
        if sampling.repeat_penalty != 1:
            penalties = llama.llama_sampler_init_penalties(
                context.model.n_vocab, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0
            )
            for token in prompt[-PENALTY_WINDOW:]:
                llama.llama_sampler_accept(penalties, token)
            self._add(penalties)
        if self._greedy:
            self._add(llama.llama_sampler_init_greedy())
            return
        if sampling.top_k > 0:
            self._add(llama.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            self._add(llama.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            self._add(llama.llama_sampler_init_min_p(sampling.min_p, 1))
        self._add(llama.llama_sampler_init_temp(sampling.temperature))
        self._add(llama.llama_sampler_init_dist(sampling.seed))

    def close(self) -> None:
        """Free the chain. May be called twice."""
        if self._grammar is not None:
            self._grammar.close()
        if self._chain:
            llama.llama_sampler_free(self._chain)
            self._chain = None

    def sample(self, index: int, row: Any) -> int:
        """Choose the token after the batch's token ``index``, whose logits are ``row`` (n_vocab,).

        Raises TrchatError where what the model computed is no number.
        """
        token = self._chosen(index, row)
        if not isfinite(row[token]):
            raise TrchatError(
                "the model computes no numbers any more (NaN or infinite): "
                "its file is damaged, or too coarsely quantised"
            )
        return token

    def _chosen(self, index: int, row: Any) -> int:
        if self._grammar is not None:
            return self._sample_allowed(self._grammar, row)
        if self._plain_greedy:
            return int(row.argmax())  # what llama.cpp's greedy sampler takes: the lowest id of the largest
        return int(llama.llama_sampler_sample(self._chain, self._context.handle, index))

    def _sample_allowed(self, grammar: GrammarSampler, row: NDArray[np.float32]) -> int:
        if self._plain_greedy:
            token = int(row.argmax())
        else:
            assert self._ids is not None
            token = self._choose(Candidates(self._ids, row))
        if not grammar.allows(token):
            token = self._choose(grammar.candidates(row))
        if token not in self._end_tokens:  # behind its end a grammar accepts nothing
            grammar.accept(token)
        llama.llama_sampler_accept(self._chain, token)
        return token

    def _choose(self, candidates: Candidates) -> int:
        candidates.apply(self._chain)
        return candidates.selected

    def _add(self, sampler: Any) -> None:
        llama.llama_sampler_chain_add(self._chain, sampler)
