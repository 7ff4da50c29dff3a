"""What a store says of itself: whose it is, its days, and when everything was to be forgotten."""

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict

from trchat.storage.recycled.records import Identity
from trchat.storage.recycled.rows import MAX_GENERATION

MAX_VOCABULARY = 1 << 22
"""Tokens; the largest vocabularies known have a quarter of a million."""

_RESET_AT = "reset_at"

Facts = Mapping[str, str | int | float]


def read(db: sqlite3.Connection) -> dict[str, str | int | float]:
    """All that is there and can be used."""
    found = {}
    for key, value in db.execute("SELECT key, value FROM about LIMIT 100"):
        if isinstance(key, str) and isinstance(value, (str, int, float)):
            found[key] = value[:1000] if isinstance(value, str) else value
    return found


def sign(db: sqlite3.Connection, owner: Identity, now: float) -> None:
    """Say whose store it is, and that it was used ``now`` (seconds since 1970)."""
    facts = {
        **asdict(owner),
        "parameters": str(owner.parameters),  # a made-up file may hold more than SQLite's 64 bits
        "updated_at": now,
    }
    db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", facts.items())
    db.execute("INSERT OR IGNORE INTO about VALUES ('created_at', ?)", (now,))


def owner(facts: Facts) -> Identity:
    """Whose store a file says it is; a vocabulary that no model has becomes an empty one."""

    def text(key: str) -> str:
        value = facts.get(key, "")
        return value if isinstance(value, str) else ""

    vocabulary = facts.get("vocabulary")
    parameters = text("parameters")
    return Identity(
        name=text("name"),
        architecture=text("architecture"),
        parameters=int(parameters) if parameters.isdecimal() and len(parameters) < 30 else 0,
        vocabulary=vocabulary if isinstance(vocabulary, int) and 0 <= vocabulary <= MAX_VOCABULARY else 0,
        quantisation=text("quantisation"),
        tokenizer=text("tokenizer"),
        weights=text("weights"),
    )


def reset_at(db: sqlite3.Connection) -> int:
    """The generation at which everything before was to be forgotten; 0 = never."""
    found = db.execute("SELECT value FROM about WHERE key = ?", (_RESET_AT,)).fetchone()
    value = found[0] if found else 0
    return value if isinstance(value, int) and 0 <= value < MAX_GENERATION else 0


def mark_reset(db: sqlite3.Connection, generation: int) -> None:
    """Note that everything up to ``generation`` was forgotten."""
    db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_RESET_AT, min(generation, MAX_GENERATION - 1)))


def moment(value: object) -> float | None:
    """A time among the facts, if it is one that can be shown."""
    return value if isinstance(value, float) and math.isfinite(value) and 0 < value < 1e11 else None
