"""What the engine's thread tells a front end: frozen records, in the order things happened."""

from dataclasses import dataclass, replace

from trchat.chat.formats.interface import Said
from trchat.chat.thinking_switch import NO_SWITCH, ThinkingSwitch


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the answer; ``drafted``: it was guessed and accepted. ``source``: who guessed it."""

    text: str
    drafted: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One token of a draft tree as it is shown; ``parent`` is an index, -1 for the root."""

    text: str
    parent: int
    accepted: bool
    probability: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Drafted:
    """The last step's draft: the token it hangs from, its nodes, and the token the model added itself."""

    root: str
    nodes: tuple[Node, ...]
    bonus: str


@dataclass(frozen=True, slots=True)
class Speed:
    """How an answer goes so far.

    ``ratio`` is the speed over plain decoding's, None while there is nothing to compare with.
    """

    tokens: int = 0
    steps: int = 0
    seconds: float = 0.0
    drafted: int = 0
    accepted: int = 0
    context_used: int = 0
    ratio: float | None = None

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second of decoding; 0 before the first."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_step(self) -> float:
        """Mean tokens that one step brought; 0 before the first."""
        return self.tokens / self.steps if self.steps else 0.0


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being read, ``fraction`` of it so far."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The model answers from now on; ``notices`` are things to know about it.

    ``came_free``: tokens that drafting has saved with it since its first day. ``thinking``: whether and how
    its thinking can be switched.
    """

    n_ctx: int
    rows_learned: int
    came_free: int = 0
    notices: tuple[str, ...] = ()
    thinking: ThinkingSwitch = NO_SWITCH


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know, at any time: what the model starts from, trouble with the disk."""

    text: str


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The model cannot be used, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The prompt is being read: ``done`` of ``total`` tokens."""

    message_id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """So many of the oldest questions, with their answers, do not fit into the context and are left out."""

    message_id: int
    turns: int

    def __str__(self) -> str:
        """What to say of it."""
        oldest = (
            "oldest question and its answer are"
            if self.turns == 1
            else f"oldest {self.turns} questions and their answers are"
        )
        return (
            f"The context is full: the {oldest} left out of this prompt, but stay in the conversation. "
            "/set ctx N makes more room, /new starts over."
        )


@dataclass(frozen=True, slots=True)
class Grown:
    """The answer grew; ``pieces`` make up the text that was said.

    ``step_tokens``: tokens of each step since the last news.

    ``came_free`` is as ``Ready`` has it; an answer is counted when it has ended.
    """

    message_id: int
    said: Said
    pieces: tuple[Piece, ...]
    step_tokens: tuple[int, ...]
    speed: Speed
    drafted: Drafted | None = None
    by_source: tuple[tuple[str, int, int], ...] = ()
    by_depth: tuple[tuple[int, int], ...] = ()
    rows_learned: int = 0
    came_free: int = 0

    def with_next(self, later: "Grown") -> "Grown":
        """Both in one record."""
        return replace(
            later,
            said=self.said + later.said,
            pieces=later.pieces if later.said.recast else self.pieces + later.pieces,
            step_tokens=self.step_tokens + later.step_tokens,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is over and saved.

    ``error`` says what broke it off, if anything did; ``remark`` that it was cut, or says nothing.
    """

    message_id: int
    finish: str
    speed: Speed
    error: str | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Comparing:
    """The same prompt is being answered without drafts: ``done`` of ``total`` tokens."""

    message_id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Compared:
    """An answer next to plain decoding of the same prompt. ``same`` characters from the start agree."""

    message_id: int
    mode: str
    tokens: int
    tokens_per_s: float
    plain_tokens_per_s: float
    identical: bool
    same: int
    error: str | None = None


ENDS = {
    "cancelled": "stopped",
    "length": "cut off at the token limit; /continue goes on",
    "context": "cut off: the context is full",
    "error": "failed",
}
"""What to say of an answer that did not come to its end, by its ``finish``."""

News = Loading | Ready | Notice | LoadFailed | Reading | Dropped | Grown | Ended | Comparing | Compared
