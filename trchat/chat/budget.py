"""What of a conversation fits into the context: the oldest turns go first, and it is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trchat.chat.prompt import Prompt
from trchat.chat.template import WAY_OUT, Turn
from trchat.errors import ContextError, UsageError


@dataclass(frozen=True, slots=True)
class Dropped:
    """The oldest part of the conversation was left out of the prompt, for want of room.

    ``turns`` counts questions, each with its answer, of ``of`` that there are, the last question included.
    """

    turns: int
    of: int

    def __str__(self) -> str:
        """One line for a person."""
        left_out = "turn is" if self.turns == 1 else f"{self.turns} turns are"
        return (
            f"the conversation is longer than the context: its oldest {left_out} left out; "
            "--ctx gives it more room"
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """The prompt to run, the turns it is made of, and what was left out of it."""

    prompt: Prompt
    turns: list[Turn]
    dropped: Dropped | None


def reply_reserve(n_ctx: int, max_tokens: int | None) -> int:
    """Tokens kept free for the answer as long as there is something to drop for it.

    All that is asked for, up to half of the context; a quarter of the context when nothing was said.
    """
    return min(max_tokens or n_ctx // 4, n_ctx // 2)


def fit(
    turns: Sequence[Turn], build: Callable[[Sequence[Turn]], Prompt], n_ctx: int, max_tokens: int | None
) -> Fitted:
    """Drop as few of the oldest turns as leave room for the reply; never the system prompt or the question.

    A turn is a question and what answers it. Raises ContextError when even the system prompt and the last
    question leave no room for a single token, UsageError when the template writes nothing at all.
    """
    system, rounds = _rounds(turns)
    room = n_ctx - reply_reserve(n_ctx, max_tokens)

    def rest(count: int) -> list[Turn]:
        return [*system, *(turn for part in rounds[count:] for turn in part)]

    def without(count: int) -> Prompt:
        return build(rest(count))

    prompt = without(0)
    if not prompt.ids:
        raise UsageError(f"the chat template renders nothing for this conversation; {WAY_OUT}")
    # The fewest that suffice, by halving: every probe renders and tokenises the whole rest.
    low, high = 0, max(len(rounds) - 1, 0)
    if len(prompt.ids) > room:
        while low < high:
            middle = (low + high) // 2
            tried = prompt if middle == 0 else without(middle)
            low, high = (low, middle) if len(tried.ids) <= room else (middle + 1, high)
        prompt = without(low) if low else prompt
    if len(prompt.ids) >= n_ctx:
        what = "the question" if not system else "the system prompt with the question"
        raise ContextError(
            f"{what} has {len(prompt.ids)} tokens, the context holds {n_ctx}; shorten it or raise --ctx"
        )
    return Fitted(prompt, rest(low), Dropped(low, len(rounds)) if low else None)


def fit_whole(prompt: Prompt, turns: Sequence[Turn], n_ctx: int) -> Fitted:
    """The ``prompt`` of all ``turns``, where it leaves room to answer. Raises ContextError or UsageError."""
    if not prompt.ids:
        raise UsageError("there is nothing to answer: the prompt has no tokens")
    if len(prompt.ids) >= n_ctx:
        raise ContextError(
            f"the prompt has {len(prompt.ids)} tokens, the context holds {n_ctx}; shorten it or raise --ctx"
        )
    return Fitted(prompt, list(turns), None)


def _rounds(turns: Sequence[Turn]) -> tuple[list[Turn], list[list[Turn]]]:
    """The system prompt, and the rest cut before every user turn but one that follows another."""
    lead = 0
    while lead < len(turns) and turns[lead].role == "system":
        lead += 1
    rounds: list[list[Turn]] = []
    for turn in turns[lead:]:
        if not rounds or (turn.role == "user" and rounds[-1][-1].role != "user"):
            rounds.append([])
        rounds[-1].append(turn)
    return list(turns[:lead]), rounds
