"""Runs every question in every draft mode, side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from trchat.bench.questions import Question
from trchat.chat.engine import Engine
from trchat.chat.records import Answer, Delta, new_answer
from trchat.chat.template import Turn
from trchat.decoding.step import Step
from trchat.llama.sampling import Sampling
from trchat.recycling.drafter import Drafter

PARTS = ("draft", "decode", "beside", "accept", "learn", "cache")
"""Of a step, as trchat.decoding.loop.Step times them."""

WARM_UP = "Say hello."
WARM_UP_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Measurement:
    """One question (one of its turns) answered in one mode.

    Attributes:
        turns: the conversation that was answered.
        seconds: decoding and host work, the prompt not counted.
        host_s: of these, everything but the model.
        widths: tokens in each batch.
        parts: seconds by part of a step, as Step names them.
    """

    question: Question
    turns: tuple[Turn, ...]
    turn: int
    mode: str
    token_ids: tuple[int, ...]
    steps: int
    seconds: float
    host_s: float
    drafted: int
    accepted: int
    widths: tuple[int, ...]
    parts: tuple[tuple[str, float], ...] = ()


def run_in(engine: Engine, drafters: Iterable[Drafter], sampling: Sampling) -> None:
    """Let each drafter answer a few words: what is set up only once must not be counted.

    It teaches them, so they must not be those that are measured.
    """
    for drafter in drafters:
        _answer(engine, drafter, [Turn("user", WARM_UP)], sampling, WARM_UP_TOKENS)


def run(
    engine: Engine,
    make: Callable[[str], Drafter],
    modes: Sequence[str],
    questions: Sequence[Question],
    sampling: Sampling,
    max_tokens: int,
    *,
    all_turns: bool = False,
    preface: Sequence[Turn] = (),
    anew: bool = False,
) -> Iterator[Measurement]:
    """Measure each question in each mode, the modes' order rotated from question to question.

    A mode is any name that ``make`` knows a drafter for. It is called once for each: what a drafter learns
    carries over to the next question, as in use; with ``anew``, once for each question. Each answer starts
    from an empty KV cache, or from one that holds the ``preface``, the conversation that goes before every
    question. In further turns the earlier answer is that of the first mode, so that all modes see the same
    conversation.
    """
    drafters = {mode: make(mode) for mode in modes}
    for number, question in enumerate(questions):
        if anew:
            drafters = {mode: make(mode) for mode in modes}
        rotated = {
            mode: drafters[mode] for mode in (*modes[number % len(modes) :], *modes[: number % len(modes)])
        }
        yield from answer_turns(
            engine,
            rotated,
            question,
            sampling,
            max_tokens,
            all_turns=all_turns,
            leader=modes[0],
            preface=preface,
        )


def answer_turns(
    engine: Engine,
    drafters: Mapping[str, Drafter],
    question: Question,
    sampling: Sampling,
    max_tokens: int,
    *,
    all_turns: bool = False,
    leader: str = "",
    preface: Sequence[Turn] = (),
) -> Iterator[Measurement]:
    """Answer ``question``, or its first turn, with each of ``drafters`` (by mode) in their order.

    Each answer starts from an empty KV cache; behind a ``preface`` from what all of them have in common, for
    reading it is long. Further turns follow on what the mode ``leader`` said.
    """
    turns = [*preface]
    for turn, text in enumerate(question.turns if all_turns else question.turns[:1]):
        turns.append(Turn("user", text))
        said = {}
        for mode, drafter in drafters.items():
            if not preface:
                engine.forget()
            answer, steps = _answer(engine, drafter, turns, sampling, max_tokens)
            said[mode] = answer.text
            statistics = answer.statistics
            yield Measurement(
                question=question,
                turns=tuple(turns),
                turn=turn,
                mode=mode,
                token_ids=tuple(answer.token_ids),
                steps=statistics.steps,
                seconds=statistics.seconds,
                host_s=statistics.host_s,
                drafted=statistics.drafted,
                accepted=statistics.accepted,
                widths=tuple(step.width for step in steps),
                parts=tuple((part, sum(getattr(step, f"{part}_s") for step in steps)) for part in PARTS),
            )
        turns.append(Turn("assistant", said[leader]))


def _answer(
    engine: Engine, drafter: Drafter, turns: Sequence[Turn], sampling: Sampling, max_tokens: int
) -> tuple[Answer, list[Step]]:
    engine.drafter = drafter
    answer = new_answer(sampling.seed)
    # Closed at once when interrupted: it must not outlive the engine's context.
    with closing(engine.answer(turns, sampling, max_tokens, answer)) as events:
        return answer, [event.step for event in events if isinstance(event, Delta)]
