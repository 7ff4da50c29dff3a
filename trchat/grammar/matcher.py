"""A JSON Schema along one answer: which tokens may come next, and which must (by llguidance)."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLParserLimits
from numpy.typing import NDArray

from trchat.errors import TrchatError, UsageError
from trchat.grammar.names import Names
from trchat.grammar.schema import refusal

SHORT_LIST = 256
"""Tokens that are tried first where the likeliest is not allowed: many more than samplers keep, few enough
to take no longer than all of them do with a plain schema."""

FUEL, FUEL_PER_TOKEN = 32_000, 1 / 5
"""New states of a pattern that one mask may need, in all or for each token of the vocabulary, whichever is
more: about 5 ms with a vocabulary of 152,000. Ordinary patterns need up to 10,000 there, ``[A-Z].{8,}``
25,000, ``[a-z].{8,50}`` 200,000 and more, at every token."""
TRIED = 12
"""Tokens that are written by a pattern to see that. What each adds is seen in the first few."""


def check_patterns(tokenizer: Any, grammar: str) -> None:
    """Raise UsageError over the first pattern of a grammar that would keep a model waiting at every token.

    It takes the vocabulary (an ``LLTokenizer``) to tell: its tokens are what a pattern is followed along.
    """
    for where, pattern in _patterns(_schemas(grammar), "#"):
        if not _is_quick(tokenizer, pattern):
            raise UsageError(
                f'the schema cannot be followed: "pattern" at {where}: following it takes too many steps; '
                "smaller counts in it, or a ^ before it, may help"
            )


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


def _schemas(grammar: str) -> Any:
    """The JSON Schemas in a grammar: it is one, or has some in it (see ``trchat.chat.tools.ruled``)."""
    if grammar.startswith("{"):
        return json.loads(grammar)["grammars"][0]["json_schema"]
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(grammar, each.end())[0] for each in re.finditer(r"%json (?=\{)", grammar)]


def _patterns(schema: Any, where: str) -> Iterator[tuple[str, str]]:
    """Each pattern in a schema, with its place."""
    if isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from _patterns(each, f"{where}/{number}")
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield where, pattern
        if isinstance(patterns := schema.get("patternProperties"), dict):
            yield from ((f"{where}/patternProperties", pattern) for pattern in patterns)
        for name, each in schema.items():
            yield from _patterns(each, f"{where}/{name}")


def _is_quick(tokenizer: Any, pattern: str) -> bool:
    """Whether an answer can be written by a pattern in good time."""
    fuel = max(FUEL, int(tokenizer.vocab_size * FUEL_PER_TOKEN))
    grammar = LLMatcher.grammar_from_json_schema({"type": "string", "pattern": pattern})
    matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=LLParserLimits(step_lexer_fuel=fuel))
    for step in range(TRIED):
        matcher.consume_tokens(matcher.compute_ff_tokens())
        if matcher.is_stopped():
            break
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        if not len(allowed):
            break
        matcher.consume_token(int(allowed[len(allowed) * step // TRIED]))
    return not matcher.is_error()
