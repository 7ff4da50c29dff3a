"""Sums over the steps of an answer."""

from dataclasses import dataclass

from trchat.decoding.step import Step


@dataclass(slots=True)
class Statistics:
    """Counts of tokens and seconds; add each step as it comes."""

    steps: int = 0
    tokens: int = 0
    drafted: int = 0
    accepted: int = 0
    seconds: float = 0.0
    host_s: float = 0.0

    def add(self, step: Step) -> None:
        """Take in one step."""
        self.steps += 1
        self.tokens += len(step.tokens)
        self.drafted += step.drafted
        self.accepted += step.accepted
        self.host_s += step.host_s
        self.seconds += step.seconds

    @property
    def tokens_per_step(self) -> float:
        """Mean tokens that one batch brought; 0 before the first."""
        return self.tokens / self.steps if self.steps else 0.0

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second of decoding, the prompt not counted; 0 before the first."""
        return self.tokens / self.seconds if self.seconds else 0.0
