"""Makes a conversation fit into the context: the oldest exchanges are left out first, and it is said."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trchat.errors import ContextError

if TYPE_CHECKING:
    from trchat.chat.engine import Engine
    from trchat.chat.template import Turn
    from trchat.session.job import Job

LEAST_ROOM = 64
"""Tokens kept free for the answer, where the context is large enough for that."""


def fit(engine: "Engine", job: "Job") -> "tuple[Sequence[Turn], int]":
    """The turns that fit, with room for an answer, and how many were left out.

    The system prompt and the last question always stay. Raises ContextError when those alone do not fit.
    """
    n_ctx = engine.context.n_ctx
    room = n_ctx - min(LEAST_ROOM, n_ctx // 4) - _length(engine, job.opening)
    system = [turn for turn in job.turns if turn.role == "system"]
    talk = [turn for turn in job.turns if turn.role != "system"]
    if _prompt_length(engine, [*system, *talk]) <= room:
        return job.turns, 0
    # Only places where a question begins are cut at: templates want questions and answers in turn.
    starts = [index for index, turn in enumerate(talk) if turn.role == "user"]
    low, high = 1, len(starts) - 1
    if high < 0 or _prompt_length(engine, [*system, *talk[starts[high] :]]) > room:
        raise ContextError(
            f"the question alone does not fit into the context of {n_ctx} tokens; "
            "shorten it, or make the context larger (/set ctx 8192)"
        )
    while low < high:  # the first start from which everything fits
        middle = (low + high) // 2
        if _prompt_length(engine, [*system, *talk[starts[middle] :]]) <= room:
            high = middle
        else:
            low = middle + 1
    return [*system, *talk[starts[high] :]], starts[high]


def _prompt_length(engine: "Engine", turns: "Sequence[Turn]") -> int:
    return len(engine.prompt_tokens(turns)[0])


def _length(engine: "Engine", text: str) -> int:
    return len(engine.model.tokenize(text)) if text else 0
