"""How tokens are chosen from the model's probabilities."""

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
        seed: below 2**32 - 1.
        grammar: GBNF that the answer must follow, from its rule ``root``; empty = none.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int = 0
    grammar: str = ""
