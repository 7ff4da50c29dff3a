"""Conversations and messages as they are handed out: frozen, and sound whatever the file held."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from trchat.errors import UsageError

_MAX_ID = 2**63 - 1
LATEST_TIME_S = 32_503_680_000.0
"""The year 3000: dates beyond are damage, and not every system can even print them."""


class UnknownIdError(UsageError):
    """There is no conversation or message with this ID (any more)."""


@dataclass(frozen=True)
class Conversation:
    """One conversation as a list shows it. Times are seconds since 1970, UTC."""

    id: int
    title: str
    """From the first user message until renamed; empty before there is one."""
    messages: int
    """How many messages there are, those on other branches included."""
    active_leaf: int | None
    """The last message of the branch that is shown; None while there is no message."""
    model: str | None
    """The model that answered last."""
    created_at: float
    updated_at: float
    deleted_at: float | None = None


@dataclass(frozen=True)
class Message:
    """One message. Times are seconds since 1970, UTC."""

    id: int
    conversation_id: int
    parent_id: int | None
    """The message before it; messages with the same parent are branches. None for the first."""
    role: str
    """``system``, ``user`` or ``assistant``."""
    text: str
    reasoning: str | None = None
    model: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_per_s: float | None = None
    finish_reason: str | None = None
    """``stop``, ``length``, ``cancelled``, ``context`` or ``error``; None for one that was not generated."""
    created_at: float = 0.0
    finished_at: float | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the answer was never finished: it is streaming right now, or its program died."""
        return self.finished_at is None


@dataclass(frozen=True)
class SearchHit:
    """One place where the words were found."""

    conversation_id: int
    title: str
    message_id: int | None
    """None when only the title has the words."""
    role: str | None
    snippet: str
    """A stretch of the text around the words, on one line."""
    marks: tuple[tuple[int, int], ...]
    """Start and end of each found word in ``snippet``."""
    created_at: float


CONVERSATION_COLUMNS = """c.id, c.title,
    (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id) AS messages,
    c.active_leaf, c.model, c.created_at, c.updated_at, c.deleted_at"""

MESSAGE_COLUMNS = """m.id, m.conversation_id, m.parent_id, m.role, m.text, m.reasoning, m.model, m.settings,
    m.prompt_tokens, m.completion_tokens, m.tokens_per_s, m.finish_reason, m.created_at, m.finished_at"""


def conversation_from(row: tuple[object, ...]) -> Conversation:
    """Make a record of the values of ``CONVERSATION_COLUMNS``."""
    (id_, title, messages, leaf, model, created, updated, deleted) = row
    return Conversation(
        id=_whole(id_) or 0,
        title=_text(title) or "",
        messages=_whole(messages) or 0,
        active_leaf=_whole(leaf),
        model=_text(model),
        created_at=seconds(created) or 0.0,
        updated_at=seconds(updated) or 0.0,
        deleted_at=seconds(deleted),
    )


def message_from(row: tuple[object, ...]) -> Message:
    """Make a record of the values of ``MESSAGE_COLUMNS``."""
    (id_, conversation, parent, role, text, reasoning, model, settings) = row[:8]
    (prompt_tokens, completion_tokens, speed, finish_reason, created, finished) = row[8:]
    return Message(
        id=_whole(id_) or 0,
        conversation_id=_whole(conversation) or 0,
        parent_id=_whole(parent),
        role=_text(role) or "",
        text=_text(text) or "",
        reasoning=_text(reasoning),
        model=_text(model),
        settings=_settings(settings),
        prompt_tokens=_whole(prompt_tokens),
        completion_tokens=_whole(completion_tokens),
        tokens_per_s=_real(speed),
        finish_reason=_text(finish_reason),
        created_at=seconds(created) or 0.0,
        finished_at=seconds(finished),
    )


def known_id(number: int) -> int:
    """Return ``number``, or 0, which is not an ID, where SQLite could not even be asked for it."""
    return number if 0 < number <= _MAX_ID else 0


def seconds(value: object) -> float | None:
    """Return a time that every system can print, or None."""
    number = _real(value)
    return None if number is None else min(max(number, 0.0), LATEST_TIME_S)


def clean(text: str) -> str:
    """Return ``text`` as UTF-8 can hold it: bytes that the command line could not decode become ``?``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


# SQLite keeps any type in any column, so a damaged file can answer with any of them.


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _settings(value: object) -> Mapping[str, object]:
    try:
        settings = json.loads(_text(value) or "{}")
    except (ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}
