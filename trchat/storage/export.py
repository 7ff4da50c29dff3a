"""A conversation as a document: Markdown for people, JSON without loss for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from trchat.storage.records import Conversation, Message

JSON_FORMAT = "trchat-conversation"
JSON_VERSION = 1
UNTITLED = "Untitled conversation"
_NAMES = {"system": "System", "user": "You", "assistant": "Assistant"}


def to_markdown(conversation: Conversation, thread: Sequence[Message]) -> str:
    """Return one branch as Markdown, the texts as they are."""
    parts = [f"# {heading(conversation)}", f"_{_for_people(conversation.created_at)}_"]
    for message in thread:
        parts.append(f"## {_NAMES.get(message.role, message.role.capitalize())}")
        if message.reasoning:
            parts.append(
                f"<details>\n<summary>Reasoning</summary>\n\n{message.reasoning.strip()}\n\n</details>"
            )
        if message.text:
            parts.append(message.text.strip("\n"))
        if details := _details(message):
            parts.append(f"_{details}_")
    return "\n\n".join(parts) + "\n"


def to_json(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Return a conversation with all its branches as one JSON object; times are ISO 8601 in UTC."""
    document = {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model,
        "created_at": _iso(conversation.created_at),
        "updated_at": _iso(conversation.updated_at),
        "active_leaf": conversation.active_leaf,
        "messages": [_message(message) for message in messages],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def heading(conversation: Conversation) -> str:
    """Return the title, or words in its place."""
    return " ".join(conversation.title.split()) or UNTITLED


def _message(message: Message) -> dict[str, object]:
    fields = asdict(message)
    del fields["conversation_id"]
    return fields | {
        "interrupted": message.interrupted,
        "created_at": _iso(message.created_at),
        "finished_at": None if message.finished_at is None else _iso(message.finished_at),
    }


def _details(message: Message) -> str:
    parts = [message.model] if message.model else []
    if message.completion_tokens is not None:
        parts.append(f"{message.completion_tokens} tokens")
    if message.tokens_per_s is not None:
        parts.append(f"{message.tokens_per_s:.1f} tokens/s")
    if message.interrupted:
        parts.append("interrupted")
    elif message.finish_reason not in (None, "stop"):
        parts.append(
            {"length": "cut by the token limit", "context": "context full"}.get(
                message.finish_reason or "", message.finish_reason or ""
            )
        )
    return " · ".join(parts)


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _for_people(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC"
