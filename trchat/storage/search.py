"""Full-text search over messages and titles: FTS5 where SQLite has it and words allow it, else a plain scan.

The index catches up after each answer and before each search, apart from writing: what streams is written
cheaply, and a file that an SQLite without FTS5 wrote to is searched just as well.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice

from trchat.storage.connection import out_of_reach
from trchat.storage.records import SearchHit, clean, seconds

MAX_WORDS = 32
MAX_WORD_LENGTH = 200
_SNIPPET_WORDS = 16
_CONTEXT_CHARACTERS = 60
_START, _END = "\x02", "\x03"
_UNSPACED = 0x0E00
"""From Thai on, most scripts set no spaces between words, so that FTS5 would find only their beginnings."""

_FROM = "JOIN conversations c ON c.id = m.conversation_id WHERE c.deleted_at IS NULL"


class IndexFaultError(Exception):
    """The full-text index cannot be used; it can be dropped, and grows again from the messages."""


def split_words(query: str) -> list[str]:
    """Return the words to look for, without quotes around them. Operators are words like any other."""
    spelled = composed(clean(query).replace("\0", " "))
    words = (word.strip('"')[:MAX_WORD_LENGTH] for word in spelled.split())
    return list(filter(None, words))[:MAX_WORDS]


def composed(text: str) -> str:
    """``text`` with each letter and its accents as one character (NFC); Macs often write them apart."""
    return unicodedata.normalize("NFC", text)


def has_fts5(connection: sqlite3.Connection) -> bool:
    """Whether this SQLite can index full text."""
    return connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone() is not None


def is_behind(connection: sqlite3.Connection) -> bool:
    """Whether there are messages that the index has not seen in their present form."""
    return connection.execute("SELECT 1 FROM messages WHERE indexed = 0 LIMIT 1").fetchone() is not None


def catch_up(connection: sqlite3.Connection) -> None:
    """Index what is new or changed. Run inside a transaction. Raises IndexFaultError."""
    try:
        # Words just begun match thousands of others; an index of beginnings keeps them at milliseconds.
        connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS message_index USING fts5(text, prefix = '1 2 3')"
        )
        connection.execute(
            "DELETE FROM message_index WHERE rowid IN (SELECT id FROM messages WHERE indexed = 0)"
        )
        connection.execute(
            "INSERT INTO message_index (rowid, text) SELECT id, text FROM messages WHERE indexed = 0"
        )
        connection.execute("UPDATE messages SET indexed = 1 WHERE indexed = 0")
    except sqlite3.Error as error:
        raise _fault(error) from error


def forget(connection: sqlite3.Connection, conversation_ids: Sequence[int]) -> None:
    """Take conversations out of the index, whose messages are about to be deleted. Raises IndexFaultError."""
    try:
        if _has_index(connection):
            connection.executemany(
                """DELETE FROM message_index
                   WHERE rowid IN (SELECT id FROM messages WHERE conversation_id = ?)""",
                [(conversation_id,) for conversation_id in conversation_ids],
            )
            # Until its parts are merged, the index still spells the words out.
            connection.execute("INSERT INTO message_index (message_index) VALUES ('optimize')")
    except sqlite3.Error as error:
        raise _fault(error) from error


def drop_index(connection: sqlite3.Connection) -> None:
    """Forget the index, so that the next search makes a new one. Run inside a transaction."""
    try:
        connection.execute("DROP TABLE IF EXISTS message_index")
    except sqlite3.DatabaseError:
        # FTS5 must understand a table to drop it. What it consists of can be taken apart without it.
        like = ("message_index_%",)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE ?", like
        ).fetchall():
            connection.execute(f"DROP TABLE {name}")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'message_index'")
        connection.execute("PRAGMA writable_schema = RESET")
    connection.execute("UPDATE messages SET indexed = 0")


def wants_index(words: Sequence[str]) -> bool:
    """Whether FTS5 sees all of these as words: to it, ``C++`` is a C, and an emoji is nothing."""
    return all(word.isalnum() and ord(max(word)) < _UNSPACED for word in words)


def find_indexed(connection: sqlite3.Connection, words: Sequence[str], limit: int) -> list[SearchHit]:
    """Find messages that have all of these plain words, the last of which may be just begun; best first.

    Raises IndexFaultError.
    """
    try:
        rows = connection.execute(
            f"""SELECT m.conversation_id, c.title, m.id, m.role,
                    snippet(message_index, 0, '{_START}', '{_END}', '…', {_SNIPPET_WORDS}), m.created_at
                FROM message_index JOIN messages m ON m.id = message_index.rowid {_FROM}
                AND message_index MATCH ? ORDER BY rank LIMIT ?""",
            (" AND ".join(_either(word, last=word is words[-1]) for word in words), limit),
        ).fetchall()
    except sqlite3.Error as error:
        raise _fault(error) from error
    return [_hit(row, *_marked(str(row[4]))) for row in rows]


def _either(word: str, *, last: bool) -> str:
    """A word for FTS5 as it may be spelled in the index; in quotes, AND, OR and NOT are words as well."""
    spellings = dict.fromkeys((word, unicodedata.normalize("NFD", word)))
    begun = " *" if last else ""
    return "(" + " OR ".join(f'"{each}"{begun}' for each in spellings) + ")"


def find_scanning(connection: sqlite3.Connection, words: Sequence[str], limit: int) -> list[SearchHit]:
    """Find messages that contain all words anywhere; newest first."""
    rows = connection.execute(
        f"""SELECT m.conversation_id, c.title, m.id, m.role, m.text, m.created_at
            FROM messages m {_FROM} ORDER BY m.id DESC"""
    )
    return _scanned(rows, words, limit)


def find_titles(connection: sqlite3.Connection, words: Sequence[str], limit: int) -> list[SearchHit]:
    """Find conversations whose title contains all words; newest first."""
    rows = connection.execute(
        """SELECT c.id, c.title, NULL, NULL, c.title, c.updated_at FROM conversations c
           WHERE c.deleted_at IS NULL ORDER BY c.updated_at DESC"""
    )
    return _scanned(rows, words, limit)


def _scanned(rows: Iterable[tuple[object, ...]], words: Sequence[str], limit: int) -> list[SearchHit]:
    """The first rows whose text contains all words, small letters and capitals alike, in any script.

    Not by LIKE, to which only the capitals of English are alike.
    """
    lowered = [word.lower() for word in words]
    texts = ((row, composed(str(row[4]))) for row in rows)
    fitting = ((row, text) for row, text in texts if all(word in text.lower() for word in lowered))
    return [_hit(row, *_excerpt(text, words)) for row, text in islice(fitting, limit)]


def _has_index(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'message_index'").fetchone()
    return row is not None


def _fault(error: sqlite3.Error) -> Exception:
    """Tell a broken index from a full disk or a lock, which are not for this room to handle."""
    return error if out_of_reach(error) else IndexFaultError(str(error))


def _hit(row: tuple[object, ...], snippet: str, marks: tuple[tuple[int, int], ...]) -> SearchHit:
    conversation_id, title, message_id, role, _, created_at = row
    return SearchHit(
        conversation_id=conversation_id if isinstance(conversation_id, int) else 0,
        title=str(title),
        message_id=message_id if isinstance(message_id, int) else None,
        role=None if role is None else str(role),
        snippet=snippet,
        marks=marks,
        created_at=seconds(created_at) or 0.0,
    )


def _marked(raw: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Turn FTS5's marks inside the text into positions beside it."""
    snippet = ""
    marks = []
    for number, piece in enumerate(re.split(f"{_START}([^{_START}{_END}]+){_END}", _one_line(raw))):
        if number % 2:
            marks.append((len(snippet), len(snippet) + len(piece)))
        snippet += piece
    return snippet, tuple(marks)


def _excerpt(text: str, words: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    any_word = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    first = any_word.search(text)
    at = first.start() if first else 0
    start, end = max(0, at - _CONTEXT_CHARACTERS), at + 2 * _CONTEXT_CHARACTERS
    snippet = _one_line(("…" if start else "") + text[start:end] + ("…" if end < len(text) else ""))
    return snippet, tuple(match.span() for match in any_word.finditer(snippet))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
