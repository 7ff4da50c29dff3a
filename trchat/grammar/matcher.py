"""A JSON Schema along one answer: which tokens may come next, and which must (by llguidance)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llguidance import LLMatcher
from numpy.typing import NDArray

from trchat.errors import TrchatError
from trchat.grammar.names import Names
from trchat.grammar.schema import refusal

SHORT_LIST = 256
"""Tokens that are tried first where the likeliest is not allowed: many more than samplers keep, few enough
to take no longer than all of them do with a plain schema."""


class SchemaMatcher:
    """The state of a schema along one answer."""

    def __init__(self, tokenizer: Any, grammar: str, piece: Callable[[int], bytes], end_token: int) -> None:
        """``tokenizer`` is an ``LLTokenizer``, ``grammar`` a ``Schema.grammar``.

        ``end_token`` is written behind an answer that is complete.
        """
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)
        self._piece = piece
        self._end_token = end_token
        self._names = Names()
        self._check()

    def allows(self, token: int) -> bool:
        """Whether ``token`` may come next; microseconds, where a whole vocabulary may take milliseconds."""
        return self._matcher.validate_tokens([token]) == 1 and not self._repeats(token)

    def allowed(self, row: NDArray[np.float32]) -> NDArray[np.int32]:
        """The allowed ones of the likeliest tokens of ``row``; where none of those is, of all tokens.

        Of all, those that repeat a name are among them (see ``allows``). The few take a millisecond whatever
        the schema; all of them, thirty with a pattern that many states are needed for.
        """
        if len(row) > SHORT_LIST:
            likeliest = np.argpartition(row, -SHORT_LIST)[-SHORT_LIST:]
            few = [token for token in np.sort(likeliest).tolist() if self.allows(token)]
            self._check()
            if few:
                return np.array(few, np.int32)
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        return np.flatnonzero(np.unpackbits(bits, count=len(row), bitorder="little")).astype(np.int32)

    def accept(self, token: int) -> None:
        """Go on behind ``token``, which must be allowed."""
        self._names.write(self._piece(token))
        self._matcher.consume_token(token)
        self._check()

    def forced(self) -> list[int]:
        """The tokens that must come next, whatever the model thinks; the state goes on behind them.

        They are spelled as the tokenizer would, and end where the tokenizer might join the last one with what
        comes next. Behind a complete answer it is the end.
        """
        tokens: list[int] = []
        if not self._matcher.is_stopped():
            for token in self._matcher.compute_ff_tokens():
                if self._repeats(token):
                    return tokens
                self.accept(token)
                tokens.append(token)
        self._check()
        return [*tokens, self._end_token] if self._matcher.is_stopped() else tokens

    def close(self) -> None:
        """There is nothing to free."""

    def _repeats(self, token: int) -> bool:
        return self._names.repeats(self._piece(token))

    def _check(self) -> None:
        if self._matcher.is_error():
            raise TrchatError(f"the answer cannot go on by this schema: {refusal(self._matcher.get_error())}")
