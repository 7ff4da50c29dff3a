"""A small database of notes, for tests of what every database of ours can do."""

import sqlite3
import sys

OURS = 0x74657374
POSIX = sys.platform != "win32"  # file modes, deleting open files, size limits


def first(connection):
    connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")


def second(connection):
    connection.execute("ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 1")
    connection.execute("UPDATE notes SET text = upper(text)")


def unfit(connection):
    """A migration that does not get along with notes that are there twice."""
    connection.execute("UPDATE notes SET text = 'changed'")
    connection.execute("CREATE UNIQUE INDEX once ON notes (text)")


def add(text):
    return lambda connection: connection.execute("INSERT INTO notes (text) VALUES (?)", (text,)).lastrowid


def texts(connection):
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]


def set_aside(file):
    return [path for path in file.parent.iterdir() if path.name.startswith(file.name + ".")]


def raw(file, *statements):
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
