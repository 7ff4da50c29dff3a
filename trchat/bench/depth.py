"""A long conversation to measure behind: what drafting costs when the text has grown."""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from trchat.bench.plan import Plan
from trchat.bench.questions import WARM_SETS, load_questions
from trchat.chat.engine import Engine
from trchat.chat.template import Turn
from trchat.errors import UsageError

ROOM = 2048
"""Tokens of context beyond the depth, where the user has not said how many there are to be."""


def preface_for(engine: Engine, plan: Plan) -> list[Turn]:
    """The conversation before each of the plan's questions, of its depth in tokens.

    Raises UsageError where it is to be longer than what there is to say, or does not fit the context.
    """

    def count(turns: Sequence[Turn]) -> int:
        return len(engine.prompts.build(turns).ids)

    preface = conversation(plan.depth, count)
    needed = 0
    for question in plan.questions:
        asked = question.turns if plan.all_turns else question.turns[:1]
        tokens = count([*preface, *(Turn("user", text) for text in asked)]) + len(asked) * plan.max_tokens
        needed = max(needed, tokens)
    if needed > engine.context.n_ctx:
        raise UsageError(f"these questions at --depth {plan.depth} need a larger context: --ctx {needed}")
    return preface


def conversation(n_tokens: int, count: Callable[[Sequence[Turn]], int]) -> list[Turn]:
    """The shortest made-up conversation of at least ``n_tokens`` tokens, as ``count`` counts those of turns.

    Both sides say what the built-in questions to warm with say: real sentences, none of them twice, and none
    of the questions that are measured. Raises UsageError when they are too few.
    """
    said = [question.turns[0] for name in WARM_SETS for question in load_questions(name)]
    turns = [Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(said)]
    lengths = range(0, len(turns) + 1, 2)
    found = bisect_left(lengths, n_tokens, key=lambda length: count(turns[:length]) if length else 0)
    if found == len(lengths):
        most = count(turns[: lengths[-1]])
        raise UsageError(f"--depth {n_tokens}: the built-in conversation ends after {most} tokens")
    return turns[: lengths[found]]
