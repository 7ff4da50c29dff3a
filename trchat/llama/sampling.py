"""How tokens are chosen from the model's probabilities, and how likely those chosen were."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is done to the model's probabilities; the order is llama.cpp's own.

    Attributes:
        temperature: 0 = greedy, the likeliest token always.
        top_k: 0 = all tokens.
        top_p: from 0 to 1, 1 = off.
        min_p: from 0 to 1, 0 = off.
        repeat_penalty: over the last 64 tokens; 1 = off.
        frequency_penalty, presence_penalty: over the same; 0 = off.
        seed: below 2**32 - 1.
        grammar: GBNF that the answer must follow, from its rule ``root``; empty = none.
        schema: a JSON Schema that it must fit instead, for the grammar engine (``Schema.grammar``).
        alternatives: how many likely tokens to tell for each place in the answer; None = nothing is told.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int = 0
    grammar: str = ""
    schema: str = ""
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    alternatives: int | None = None

    @property
    def penalises(self) -> bool:
        """Whether what stands in recent text counts."""
        return (self.repeat_penalty, self.frequency_penalty, self.presence_penalty) != (1, 0, 0)


@dataclass(frozen=True, slots=True)
class Likely:
    """How likely a token was, by the model alone: before temperature, penalties and grammars.

    Attributes:
        token: the one that was written.
        logprob: its natural logarithm of probability; 0 where nothing else could stand there.
        others: the likeliest tokens there with theirs, the likeliest first.
    """

    token: int
    logprob: float
    others: tuple[tuple[int, float], ...] = ()
