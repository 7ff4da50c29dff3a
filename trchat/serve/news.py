"""What is told of a request's answer while it is on its way."""

from dataclasses import dataclass

from trchat.chat.records import Answer
from trchat.chat.tools.calls import ToolCall
from trchat.serve.problems import ApiError


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the answer's text, and the likeliest ones that could have stood there, by their bytes."""

    piece: bytes
    logprob: float
    others: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """``done`` of the prompt's ``total`` tokens are read."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Grown:
    """What a step has brought."""

    reasoning: str
    text: str
    tokens: tuple[Token, ...] = ()
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is complete."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no answer, or no more of it."""

    problem: ApiError


News = Reading | Grown | Ended | Failed
"""In this order; one of the last two ends it."""
