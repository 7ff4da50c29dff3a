"""What one step of decoding brought."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trchat.recycling.outline import TreeOutline
    from trchat.recycling.tree import DraftTree


@dataclass(frozen=True, slots=True)
class Step:
    """One batch verified.

    Attributes:
        tokens: what the text grew by, at least one token.
        tree: the draft; its outline, where it was made in another process.
        path: its accepted nodes.
        width: tokens in the batch, forced ones included.
        finish: ``stop`` (an end-of-generation token, the last of ``tokens``), ``length``, or None.
        draft_s, decode_s, accept_s, learn_s, cache_s: seconds spent on each part.
        beside_s: seconds of learning while a GPU computed, and still did afterwards: a part of the model's
            time as ``decode_s`` is, which it is not counted in.
    """

    tokens: tuple[int, ...]
    tree: "DraftTree | TreeOutline"
    path: tuple[int, ...]
    width: int
    finish: str | None
    draft_s: float
    decode_s: float
    accept_s: float
    learn_s: float
    cache_s: float
    beside_s: float = 0.0

    @property
    def drafted(self) -> int:
        """Tokens guessed."""
        return len(self.tree)

    @property
    def accepted(self) -> int:
        """Tokens guessed right."""
        return len(self.path)

    @property
    def host_s(self) -> float:
        """Seconds around the model: everything but its own time."""
        return self.draft_s + self.accept_s + self.learn_s + self.cache_s

    @property
    def seconds(self) -> float:
        """What the step took."""
        return self.host_s + self.decode_s + self.beside_s
