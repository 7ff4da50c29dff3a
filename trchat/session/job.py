"""What the engine's thread is asked to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trchat.chat.template import Turn
    from trchat.config import Settings

POST_INTERVAL_S = 0.1
"""Text is handed over ten times a second: calm to read, and cheap to draw."""


@dataclass(frozen=True, slots=True)
class Job:
    """One answer to write: ``message_id`` is where it is saved, ``opening`` what is already there.

    ``conversation`` is the one it belongs to, if that is on the disk.
    """

    message_id: int
    turns: "Sequence[Turn]"
    settings: "Settings"
    seed: int
    opening: "Turn | None" = None
    opening_tokens: int = 0
    conversation: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One answer to write again without drafts: it had this text, tokens and speed."""

    job: Job
    text: str
    mode: str
    tokens: int
    tokens_per_s: float
