"""What an engine says while it answers: records that every front end streams, from whichever process."""

import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trchat.chat.budget import Dropped
from trchat.chat.formats.interface import Said
from trchat.chat.template import Turn, Verbatim
from trchat.chat.thinking_switch import AS_IT_IS, NO_SWITCH, Prompting, ThinkingSwitch, notes_on
from trchat.chat.tools.calls import ToolCall
from trchat.decoding.statistics import Statistics
from trchat.decoding.step import Step
from trchat.llama.sampling import Likely, Sampling


@dataclass(frozen=True, slots=True)
class Prefill:
    """Part of the prompt is in the cache: ``done`` of ``total`` tokens, ``cached`` of them from before."""

    done: int
    total: int
    cached: int


@dataclass(frozen=True, slots=True)
class Delta:
    """One step of the answer, and what each of its tokens brought (mostly text, maybe nothing).

    ``likely`` tells of each token how likely it was, None of those that are no part of the answer's text; it
    is empty where they are not wanted (``Sampling.alternatives``).
    """

    step: Step
    said: tuple[Said, ...] = ()
    likely: tuple[Likely | None, ...] = ()

    @property
    def whole(self) -> Said:
        """What all of them brought."""
        return sum(self.said, Said())


Event = Dropped | Prefill | Delta
"""In this order: once what was left out, then the prompt as it is read, then the answer."""


@dataclass(slots=True)
class Answer:
    """An answer as it grows; complete when ``finish`` is set.

    Attributes:
        reasoning, text: what the model has thought and said so far.
        token_ids: generated tokens, an end-of-generation token included.
        calls: of tools, those that are complete.
        finish: ``stop``, ``length``, ``context``, or ``cancelled`` while it runs or was left.
        prompt_tokens, cached_prompt_tokens: length of the prompt, and what was reused of earlier work.
        prompt_s: seconds spent on the prompt.
        reasoning_tokens: how many of ``token_ids`` were reasoning.
        dropped: what was left out of the prompt for want of room.
    """

    seed: int
    reasoning: str = ""
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    finish: str = "cancelled"
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    prompt_s: float = 0.0
    reasoning_tokens: int = 0
    dropped: Dropped | None = None
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def timings(self) -> dict[str, float]:
        """Seconds and speeds, as programs are told of them."""
        fresh = self.prompt_tokens - self.cached_prompt_tokens
        return {
            "prompt_s": round(self.prompt_s, 4),
            "generate_s": round(self.statistics.seconds, 4),
            "prompt_tokens_per_s": round(fresh / self.prompt_s, 2) if self.prompt_s else 0.0,
            "tokens_per_s": round(self.statistics.tokens_per_s, 2),
        }

    @property
    def drafting(self) -> dict[str, float]:
        """What drafts brought, as programs are told of it."""
        counts = self.statistics
        return {
            "steps": counts.steps,
            "tokens_per_step": round(counts.tokens_per_step, 4),
            "drafted": counts.drafted,
            "accepted": counts.accepted,
        }


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a front end wants to know of the model that is loaded; ``n_ctx`` is in tokens.

    ``template_reads`` are the variables that its chat template looks up; ``reasons``: it is known how its
    reasoning begins and ends.
    """

    name: str = ""
    architecture: str = "unknown"
    can_draft: bool = False
    n_ctx: int = 0
    brings_template: bool = True
    template_reads: frozenset[str] = frozenset()
    reasons: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How drafting goes: its mode, rows of candidates it can draft from, tokens saved with this model since
    its first day, and milliseconds of a step of one token, where they are known."""

    mode: str = "off"
    rows_learned: int = 0
    came_free: int = 0
    plain_ms: float | None = None


def never() -> bool:
    """In place of a wish to stop."""
    return False


class AnyEngine(Protocol):
    """What answers conversations, in this process (``trchat.chat.engine``) or in one of its own."""

    @property
    def facts(self) -> ModelFacts:
        """What is loaded."""

    @property
    def thinking(self) -> ThinkingSwitch:
        """How its chat template has the model think, or not. Looked for when first asked, which takes a tenth
        of a second with the largest templates."""

    @property
    def standing(self) -> Standing:
        """How drafting goes."""

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""

    def use_draft(self, mode: str) -> None:
        """Guess ahead in another way from the next answer on; what a mode has learned stays."""

    def belongs_to(self, conversation: int | None) -> None:
        """Say, after an answer, which saved conversation it belongs to. Only what belongs to one is kept on
        the disk, for the next time it goes on, and no longer than the conversation is."""

    def piece(self, token: int) -> bytes:
        """The bytes of a token that a step has mentioned."""

    def answer(
        self,
        turns: Sequence[Turn] | Verbatim,
        sampling: Sampling,
        max_tokens: int | None,
        answer: Answer,
        *,
        opening: Turn | None = None,
        prompting: Prompting = AS_IT_IS,
        stops: Sequence[str] = (),
        whole: bool = False,
        stop: Callable[[], bool] = never,
    ) -> Generator[Event, None, None]:
        """See ``trchat.chat.engine.Engine.answer``."""


def unfulfilled(engine: AnyEngine, prompting: Prompting, *, has_system: bool) -> list[str]:
    """Lines for a person on wishes that the model cannot fulfil, in a conversation with a system prompt or
    without."""
    facts = engine.facts
    switch = engine.thinking if prompting.switches else NO_SWITCH
    return notes_on(prompting, switch, facts.template_reads, reasons=facts.reasons, has_system=has_system)


def new_answer(seed: int | None = None) -> Answer:
    """An empty answer, with a random seed where none is wanted."""
    return Answer(seed=secrets.randbelow(2**32 - 1) if seed is None else seed)
