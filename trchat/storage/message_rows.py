"""Reading and writing the table of messages; every function works inside the caller's transaction."""

import json
import sqlite3
from collections.abc import Mapping

from trchat.storage import conversation_rows
from trchat.storage.records import MESSAGE_COLUMNS, Message, UnknownIdError, clean, known_id, message_from

Values = Mapping[str, object]


def insert(
    connection: sqlite3.Connection,
    conversation_id: int,
    parent_id: int | None,
    role: str,
    text: str,
    now: float,
    model: str | None = None,
    settings: Values | None = None,
    finished: bool = True,
) -> Message:
    """Add a message and make it the one that is shown; the first of a user names the conversation."""
    cursor = connection.execute(
        """INSERT INTO messages
           (conversation_id, parent_id, role, text, model, settings, created_at, finished_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            conversation_id,
            parent_id,
            clean(role),
            clean(text),
            model,
            json.dumps(dict(settings or {})),
            now,
            now if finished else None,
        ),
    )
    conversation = conversation_rows.change(connection, conversation_id, "active_leaf", cursor.lastrowid)
    conversation_rows.change(connection, conversation_id, "updated_at", now)
    if model is not None:
        conversation_rows.change(connection, conversation_id, "model", model)
    if role == "user" and not conversation.title:
        title = conversation_rows.title_from(clean(text))
        conversation_rows.change(connection, conversation_id, "title", title)
    return get(connection, cursor.lastrowid or 0)


def get(connection: sqlite3.Connection, message_id: int) -> Message:
    """Return one message. Raises UnknownIdError."""
    query = f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.id = ?"
    row = connection.execute(query, (known_id(message_id),)).fetchone()
    if row is None:
        raise UnknownIdError(f"there is no message {message_id}")
    return message_from(row)


def save_answer(
    connection: sqlite3.Connection, message_id: int, values: Values, *, unfinished_only: bool
) -> bool:
    """Set columns of a message. Returns False when there is no such message (or none that is unfinished)."""
    names = ", ".join(f"{name} = ?" for name in values)
    condition = "AND finished_at IS NULL" if unfinished_only else ""
    cursor = connection.execute(
        f"UPDATE messages SET {names}, indexed = 0 WHERE id = ? {condition}",
        (*values.values(), known_id(message_id)),
    )
    return cursor.rowcount == 1


def every(connection: sqlite3.Connection, conversation_id: int) -> list[Message]:
    """Return all messages of all branches of a conversation, oldest first."""
    query = f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.conversation_id = ? ORDER BY m.id"
    return [message_from(row) for row in connection.execute(query, (known_id(conversation_id),))]


def thread(
    connection: sqlite3.Connection, conversation_id: int, leaf_id: int | None, last: int | None
) -> list[Message]:
    """Return the branch that ends in a message, its first message first."""
    # Parents are older than their children: insisting on it keeps a damaged file from running in circles.
    rows = connection.execute(
        f"""WITH RECURSIVE path (id, parent_id, depth) AS (
                SELECT id, parent_id, 0 FROM messages WHERE id = ? AND conversation_id = ?
                UNION ALL
                SELECT m.id, m.parent_id, depth + 1
                FROM path CROSS JOIN messages m ON m.id = path.parent_id AND m.id < path.id
                LIMIT ?)
            SELECT {MESSAGE_COLUMNS} FROM path CROSS JOIN messages m ON m.id = path.id ORDER BY depth DESC""",
        (leaf_id, conversation_id, -1 if last is None else last),
    )
    return [message_from(row) for row in rows]


def latest_answers(connection: sqlite3.Connection, letters: int) -> list[tuple[int, str]]:
    """Return the latest answers, newest first, each with its conversation's ID."""
    rows = connection.execute(
        """SELECT m.conversation_id, m.text FROM messages m
           JOIN conversations c ON c.id = m.conversation_id AND c.deleted_at IS NULL
           WHERE m.role = 'assistant' AND m.text != '' ORDER BY m.id DESC"""
    )
    found: list[tuple[int, str]] = []
    for owner, text in rows:
        letters -= len(text)
        if letters < 0:
            break
        found.append((owner, text))
    return found


def children(connection: sqlite3.Connection, conversation_id: int) -> dict[int | None, list[int]]:
    """Return the children of every message, oldest first; under None those without a parent."""
    query = "SELECT parent_id, id FROM messages WHERE conversation_id = ? ORDER BY id"
    found: dict[int | None, list[int]] = {}
    for parent, child in connection.execute(query, (known_id(conversation_id),)):
        found.setdefault(parent, []).append(child)
    return found


def select_branch(connection: sqlite3.Connection, message_id: int) -> None:
    """Show the branch through a message, down its newest children. Raises UnknownIdError."""
    conversation_id = get(connection, message_id).conversation_id
    below = children(connection, conversation_id)
    leaf = message_id
    while below.get(leaf, [0])[-1] > leaf:
        leaf = below[leaf][-1]
    conversation_rows.change(connection, conversation_id, "active_leaf", leaf)
