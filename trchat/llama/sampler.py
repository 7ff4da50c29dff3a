"""llama.cpp's sampler chain: from one row of logits to the token that is emitted."""

from collections import deque
from collections.abc import Sequence
from math import isfinite
from typing import Any, Protocol

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from trchat.errors import TrchatError
from trchat.llama.context import Context
from trchat.llama.grammar_sampler import Candidates, Constraint, GrammarSampler
from trchat.llama.model import Model
from trchat.llama.owned import Owned
from trchat.llama.sampling import Likely, Sampling

PENALTY_WINDOW = 64

_NONE = np.empty(0, np.int32)


class Contenders(Protocol):
    """Finds the tokens of a row that its first places are decided among, as llama.cpp decides them."""

    array: NDArray[np.void]
    """Those last found, as llama.cpp's ``llama_token_data``, by rising token; with room for all."""

    def find(self, row: NDArray[np.float32], k: int, changed: NDArray[np.int32]) -> int:
        """How many they are for the ``k`` first places; 0 = take the whole row.

        Samplers may change the logits of ``changed`` tokens, which rise, before places are decided.
        """


class Guide(Protocol):
    """Knows where in the answer the next token stands, and so whether a grammar rules it."""

    @property
    def answering(self) -> bool:
        """Whether the answer has begun, so that a grammar rules all that comes."""

    def forced(self) -> int | None:
        """The next of the tokens that come whatever the model says; None where it chooses."""

    def outside(self, token: int) -> int | None:
        """What to emit, now that ``token`` was chosen freely, where no grammar rules: in reasoning, in
        mark-up, and where a mark must be written to its end. None where the grammar decides. To be called
        once for each token that is emitted."""


class SamplerChain(Owned):
    """The chain for one answer. Free it with ``close()`` or use it as a context manager.

    It is run exactly once for every emitted token, in order, whether that token was drafted or not, so the
    random stream, the penalties and the text are the same with and without drafts.

    A grammar is asked last, as llama.cpp's own programs do: the chain chooses freely, and only when that
    choice is not allowed does it choose again, among the allowed. Mostly it is allowed, which takes a
    microsecond to see; masking the whole vocabulary takes longer than many a model takes for a token. It
    rules what ``guide`` says is the answer; without a guide, everything. What it forces is taken without
    asking the model (``forced``), in every draft mode alike.

    Nor need a chain that begins by taking the few largest be shown the whole vocabulary: of the tokens that
    they are decided among it chooses the same as of all.
    """

    def __init__(
        self,
        context: Context,
        sampling: Sampling,
        prompt: Sequence[int],
        guide: Guide | None = None,
        contenders: Contenders | None = None,
    ) -> None:
        """``prompt`` (token ids) counts as recent text for the repeat penalty.

        Without ``contenders`` the chain is always shown all tokens.
        """
        self._context = context
        self._guide = guide
        self._end_tokens = context.model.end_tokens
        self._constraint = _constraint(context.model, sampling)
        self._ids = np.arange(context.model.n_vocab, dtype=np.int32) if self._constraint else None
        self._places = 1 if sampling.temperature == 0 else sampling.top_k  # that the chain begins by; 0 = all
        self._contenders = contenders if self._places > 0 else None
        self._few = Candidates(contenders.array) if contenders is not None else None
        self._penalised = deque(prompt, PENALTY_WINDOW) if sampling.penalises else None
        self._greedy = sampling.temperature == 0
        self._plain_greedy = self._greedy and not sampling.penalises
        self._alternatives = sampling.alternatives
        self._likely: list[Likely] = []
        params = llama.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain: Any = llama.llama_sampler_chain_init(params)
        if sampling.penalises:
            penalties = llama.llama_sampler_init_penalties(
                context.model.n_vocab,
                PENALTY_WINDOW,
                sampling.repeat_penalty,
                sampling.frequency_penalty,
                sampling.presence_penalty,
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
        if self._constraint is not None:
            self._constraint.close()
        if self._chain:
            llama.llama_sampler_free(self._chain)
            self._chain = None

    def sample(self, index: int, row: Any) -> int:
        """Choose the token after the batch's token ``index``, whose logits are ``row`` (n_vocab,).

        Raises TrchatError where what the model computed is not a number.
        """
        token = self._sampled(index, row)
        if self._alternatives is not None:
            self._likely.append(_likely(row, token, self._alternatives))
        return token

    def likely(self, count: int) -> tuple[Likely, ...]:
        """How likely the ``count`` tokens were that were emitted since this was last asked.

        Empty where they are not wanted (``Sampling.alternatives``).
        """
        told, self._likely = tuple(self._likely[:count]), []
        return told

    def _sampled(self, index: int, row: Any) -> int:
        if self._guide is not None and (forced := self._guide.forced()) is not None:
            self._accept(forced)
            return forced
        token = self._chosen(index, row)
        if not isfinite(row[token]):
            raise TrchatError(
                "the model's output is not a number any more (NaN or infinite): "
                "its file is damaged, or quantised too coarsely"
            )
        return token

    def _chosen(self, index: int, row: Any) -> int:
        if self._constraint is not None:
            return self._sample_allowed(self._constraint, row)
        if self._plain_greedy:
            return int(row.argmax())  # what llama.cpp's greedy sampler takes: the lowest id of the largest
        token = self._choose_of_few(row)
        if token is None:
            token = int(llama.llama_sampler_sample(self._chain, self._context.handle, index))
            self._note(token)
        else:
            self._accept(token)
        return token

    def forced(self) -> list[int]:
        """What a grammar says must come next; it counts as chosen. To be asked at the start and behind each
        token that was sampled, once ``guide`` has read it."""
        if self._constraint is None or not (self._guide is None or self._guide.answering):
            return []
        tokens = self._constraint.forced()
        for token in tokens:
            self._accept(token)
        if self._alternatives is not None:
            self._likely += [Likely(token, 0.0) for token in tokens]
        return tokens

    def _sample_allowed(self, constraint: Constraint, row: NDArray[np.float32]) -> int:
        if self._plain_greedy:
            token = int(row.argmax())
        else:
            chosen = self._choose_of_few(row)
            assert self._ids is not None
            token = self._choose(Candidates.of(self._ids, row)) if chosen is None else chosen
        outside = self._guide.outside(token) if self._guide is not None else None
        if outside is not None:
            self._accept(outside)
            return outside
        if not constraint.allows(token):
            ids = constraint.allowed(row)
            while len(ids) and not constraint.allows(token := self._choose(Candidates.of(ids, row[ids]))):
                ids = ids[ids != token]
            if not len(ids):
                raise TrchatError("the grammar allows nothing that this model's vocabulary can write")
        if token not in self._end_tokens:  # behind its end a grammar accepts nothing
            constraint.accept(token)
        self._accept(token)
        return token

    def _choose_of_few(self, row: NDArray[np.float32]) -> int | None:
        """What the chain chooses of ``row``; None where it must see all of it."""
        if self._few is None or self._contenders is None:
            return None
        changed = _NONE if self._penalised is None else np.unique(np.array(self._penalised, np.int32))
        n = self._contenders.find(row, self._places, changed)
        return self._choose(self._few, n) if n else None

    def _choose(self, candidates: Candidates, n: int | None = None) -> int:
        candidates.apply(self._chain, n)
        return candidates.selected

    def _accept(self, token: int) -> None:
        llama.llama_sampler_accept(self._chain, token)
        self._note(token)

    def _note(self, token: int) -> None:
        if self._penalised is not None:
            self._penalised.append(token)

    def _add(self, sampler: Any) -> None:
        llama.llama_sampler_chain_add(self._chain, sampler)


def check_in_time(model: Model, schema: str) -> None:
    """Raise UsageError where an answer cannot be held to ``schema`` (``Sampling.schema``) in good time."""
    if schema:
        from trchat.grammar.matcher import check_patterns

        check_patterns(model.grammar_tokenizer, schema)


def _likely(row: NDArray[np.float32], token: int, count: int) -> Likely:
    """How likely ``token`` was by ``row``, and the ``count`` likeliest ones."""
    top = np.argpartition(row, -count)[-count:] if 0 < count < len(row) else np.arange(len(row))[:count]
    top = top[np.argsort(-row[top], kind="stable")]
    peak = float(row.max())
    total = peak + float(np.log(np.exp(row - peak, dtype=np.float64).sum()))
    return Likely(
        token, float(row[token]) - total, tuple((int(each), float(row[each]) - total) for each in top)
    )


def _constraint(model: Model, sampling: Sampling) -> Constraint | None:
    if sampling.schema:
        from trchat.grammar.matcher import SchemaMatcher

        return SchemaMatcher(model.grammar_tokenizer, sampling.schema, model.piece, model.end_token)
    return GrammarSampler(model.vocab, sampling.grammar) if sampling.grammar else None
