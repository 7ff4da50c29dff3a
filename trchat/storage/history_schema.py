"""The tables of conversations.db, one migration a version. What has been released is never changed."""

import sqlite3

APPLICATION_ID = 0x74726368
"""``trch`` in ASCII: this file is trchat's history."""


def _first(connection: sqlite3.Connection) -> None:
    for statement in (
        # AUTOINCREMENT: the number of a deleted conversation never comes to mean another one.
        """CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL DEFAULT '',
            active_leaf INTEGER,
            model TEXT,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            deleted_at REAL
        )""",
        # No ON DELETE CASCADE along parent_id: SQLite gives up on chains of more than 1,000 messages.
        """CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation_id INTEGER NOT NULL REFERENCES conversations (id),
            parent_id INTEGER REFERENCES messages (id),
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            reasoning TEXT,
            model TEXT,
            settings TEXT NOT NULL DEFAULT '{}',
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            tokens_per_s REAL,
            finish_reason TEXT,
            created_at REAL NOT NULL,
            finished_at REAL,
            indexed INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX conversations_by_time ON conversations (updated_at)",
        "CREATE INDEX messages_by_conversation ON messages (conversation_id)",
        "CREATE INDEX messages_by_parent ON messages (parent_id)",
        # What the full-text index has not seen yet; nearly always empty.
        "CREATE INDEX messages_to_index ON messages (id) WHERE indexed = 0",
    ):
        connection.execute(statement)


MIGRATIONS = (_first,)


def mend(connection: sqlite3.Connection) -> None:
    """Make rows fit together that were saved from a damaged file, whatever was lost between them."""
    for statement in (
        """INSERT INTO conversations (id, title, created_at, updated_at)
            SELECT conversation_id, '', min(created_at), max(created_at) FROM messages
            WHERE conversation_id NOT IN (SELECT id FROM conversations) GROUP BY conversation_id""",
        # What answered a lost message follows the one before it.
        """UPDATE messages SET parent_id = (SELECT max(each.id) FROM messages each
                WHERE each.conversation_id = messages.conversation_id AND each.id < messages.id)
            WHERE parent_id IS NOT NULL AND parent_id NOT IN (SELECT id FROM messages)""",
        """UPDATE conversations SET active_leaf = (SELECT max(id) FROM messages
                WHERE conversation_id = conversations.id)
            WHERE active_leaf IS NOT NULL AND active_leaf NOT IN (SELECT id FROM messages)
                OR id IN (SELECT conversation_id FROM messages) AND active_leaf IS NULL""",
        "UPDATE messages SET indexed = 0",
    ):
        connection.execute(statement)
