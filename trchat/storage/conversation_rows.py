"""Reading and writing the table of conversations; every function works inside the caller's transaction."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Literal

from trchat.storage.records import (
    CONVERSATION_COLUMNS,
    Conversation,
    UnknownIdError,
    conversation_from,
    known_id,
)
from trchat.text.code_block import without_files

TITLE_LENGTH = 60
"""Characters of the first user message that make a title."""


def insert(connection: sqlite3.Connection, title: str, now: float) -> Conversation:
    """Add a conversation without messages."""
    cursor = connection.execute(
        "INSERT INTO conversations (title, created_at, updated_at) VALUES (?, ?, ?)", (title, now, now)
    )
    return get(connection, cursor.lastrowid or 0)


def get(connection: sqlite3.Connection, conversation_id: int) -> Conversation:
    """Return one conversation. Raises UnknownIdError."""
    query = f"SELECT {CONVERSATION_COLUMNS} FROM conversations c WHERE c.id = ?"
    row = connection.execute(query, (known_id(conversation_id),)).fetchone()
    if row is None:
        raise UnknownIdError(f"there is no conversation {conversation_id}")
    return conversation_from(row)


def listed(connection: sqlite3.Connection, limit: int | None, offset: int) -> list[Conversation]:
    """Return the conversations that are not deleted, the one used last first."""
    rows = connection.execute(
        f"""SELECT {CONVERSATION_COLUMNS} FROM conversations c WHERE c.deleted_at IS NULL
            ORDER BY c.updated_at DESC, c.id DESC LIMIT ? OFFSET ?""",
        (-1 if limit is None else limit, offset),
    )
    return [conversation_from(row) for row in rows]


def all_kept(connection: sqlite3.Connection, conversation_ids: Collection[int]) -> bool:
    """Tell whether none of these conversations was deleted."""
    kept = "SELECT 1 FROM conversations WHERE id = ? AND deleted_at IS NULL"
    return all(connection.execute(kept, (each,)).fetchone() for each in conversation_ids)


def change(
    connection: sqlite3.Connection,
    conversation_id: int,
    column: Literal["title", "model", "active_leaf", "updated_at", "deleted_at"],
    value: str | float | None,
) -> Conversation:
    """Set one column. Raises UnknownIdError."""
    connection.execute(
        f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, known_id(conversation_id))
    )
    return get(connection, conversation_id)


def deleted_before(connection: sqlite3.Connection, before: float | None) -> list[int]:
    """Return what was deleted before this time, or ever."""
    rows = connection.execute(
        "SELECT id FROM conversations WHERE deleted_at IS NOT NULL AND (?1 IS NULL OR deleted_at < ?1)",
        (before,),
    )
    return [row[0] for row in rows]


def remove(connection: sqlite3.Connection, conversation_ids: Sequence[int]) -> None:
    """Remove conversations and their messages for good."""
    ids = [(conversation_id,) for conversation_id in conversation_ids]
    connection.executemany("DELETE FROM messages WHERE conversation_id = ?", ids)
    connection.executemany("DELETE FROM conversations WHERE id = ?", ids)


def title_from(text: str) -> str:
    """Make a title of a message: its first line of words, below the files it begins with; cut at a word."""
    line = next((line for line in without_files(text).splitlines() if line.strip()), "")
    words = " ".join(line.split())
    if len(words) <= TITLE_LENGTH:
        return words
    cut = words[: TITLE_LENGTH - 1]
    head, _, tail = cut.rpartition(" ")
    # A long last word (an address, a script without spaces) is cut rather than dropped.
    return (head if head and len(tail) < TITLE_LENGTH // 3 else cut) + "…"
