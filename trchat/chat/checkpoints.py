"""Where in a prompt a later one may part from it."""

from collections.abc import Callable, Sequence

from trchat.chat.prompt import Prompt
from trchat.chat.template import Turn
from trchat.decoding.kv_cache import common_length
from trchat.errors import TrchatError

_OTHER = "Other"
"""In place of what is not known yet. Where later prompts share a few tokens more, the place is still good."""

EVERY = 2048
"""Tokens of a long prompt between places in the middle of it: edits far back must not read all again."""


def checkpoints(
    turns: Sequence[Turn], build: Callable[[Sequence[Turn]], Prompt], ids: Sequence[int]
) -> list[int]:
    """Positions in ``ids``, the prompt of ``turns``, that the conversation is likely to come back to.

    They are the end of the system prompt, the place before the last question (which may be edited), the end
    of what the next turn's prompt shares with this one (a template leaves reasoning out of earlier answers,
    and may have opened it here), and the last token but one, where the same question is answered again.
    """
    lead = [turn for turn in turns[:1] if turn.role == "system"]
    others: list[list[Turn]] = [[*turns, Turn("assistant", _OTHER), Turn("user", _OTHER)]]
    if turns and turns[-1].role == "user":
        others.append([*turns[:-1], Turn("user", _OTHER)])
    if lead:
        others.append([*lead, Turn("user", _OTHER)])
    points = {len(ids) - 1, *range(EVERY, len(ids), EVERY)}
    for other in others:
        try:
            points.add(common_length(build(other).ids, ids))
        except TrchatError:  # a template may refuse what no one has said yet
            continue
    return sorted(points)
