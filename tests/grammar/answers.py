"""Answers to a schema without a model: every byte is a token."""

import numpy as np
from llguidance import LLMatcher, LLTokenizer

BYTES = LLTokenizer("byte")
CLOSERS = frozenset(b'"]}')


def random_answer(schema, random, limit=300):
    """An answer at random, or None where it would be longer than ``limit`` bytes. It soon wants to end."""
    matcher = LLMatcher(BYTES, schema.grammar, log_level=0)
    text = bytearray()
    while not matcher.is_stopped():
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist()
        assert allowed, matcher.get_error()
        ends = [token for token in allowed if token in CLOSERS or token > 255]
        hurried = ends and (len(text) > 40 or random.random() < 0.15)
        token = random.choice(ends if hurried else allowed)
        if token > 255:
            break
        assert matcher.consume_token(token)
        text.append(token)
        if len(text) > limit:
            return None
    return text.decode()


def lets_through(schema, answer):
    """Whether this answer could be written, letter by letter."""
    matcher = LLMatcher(BYTES, schema.grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    raw = list(answer.encode())
    return matcher.try_consume_tokens(raw) == len(raw) and matcher.is_accepting()
