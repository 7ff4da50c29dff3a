"""Warming: questions answered before the measurement, so that drafting starts from what they taught."""

from collections.abc import Iterator, Sequence

from trchat.bench.questions import Question
from trchat.bench.runner import answer_turns
from trchat.chat.engine import Engine
from trchat.llama.sampling import Sampling
from trchat.recycling.drafter import Drafter


def pair(questions: Sequence[Question], warm: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Which of ``questions`` to measure, and which of ``warm`` to ask before.

    Where warm questions say which ones they are related to, only those are measured that some relate to, and
    only those are asked that relate to one measured. Others are asked and measured all.
    """
    related = {question.related_to for question in warm} - {None}
    measured = [question for question in questions if not related or question.id in related]
    wanted = {None, *(question.id for question in measured)}
    return measured, [question for question in warm if question.related_to in wanted]


def warm_up(
    engine: Engine,
    drafter: Drafter,
    questions: Sequence[Question],
    sampling: Sampling,
    max_tokens: int,
    *,
    all_turns: bool = False,
) -> Iterator[Question]:
    """Let ``drafter`` learn from the answers to ``questions``; yields each one when it is answered."""
    for question in questions:
        for _measured in answer_turns(
            engine, {"": drafter}, question, sampling, max_tokens, all_turns=all_turns
        ):
            pass
        yield question
