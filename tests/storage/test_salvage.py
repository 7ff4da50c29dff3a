"""Of a damaged history all that can be read is saved, and fits together."""

import contextlib
import sqlite3

import pytest

from trchat.storage import salvage
from trchat.storage.conversations import ConversationStore

PAGE = 4096
CONVERSATIONS, EXCHANGES = 6, 50


@pytest.fixture
def file(tmp_path):
    """A history of 600 messages."""
    path = tmp_path / "conversations.db"
    store = ConversationStore(path, pytest.fail)
    for number in range(CONVERSATIONS):
        conversation = store.create_conversation(f"Number {number}")
        for exchange in range(EXCHANGES):
            store.add_message(conversation.id, "user", f"question {exchange} " + "word " * 60)
            store.add_message(conversation.id, "assistant", f"answer {exchange} " + "word " * 60)
    store.close()
    return path


def opened(path, warnings):
    """All that a damaged history at ``path`` still gives: the texts of each conversation as it is shown."""
    store = ConversationStore(path, warnings.append)
    try:
        shown = {each.id: store.thread(each.id) for each in store.conversations()}
        assert store.search("question")
        return {number: [message.text for message in thread] for number, thread in shown.items()}
    finally:
        store.close()


def test_a_byte_too_many_loses_nothing(file):
    whole = file.read_bytes()
    file.write_bytes(whole + b"x")
    warnings = []
    shown = opened(file, warnings)
    assert [len(thread) for thread in shown.values()] == [2 * EXCHANGES] * CONVERSATIONS
    (line,) = warnings
    assert "606 rows" in line
    (kept,) = file.parent.glob("conversations.db.damaged-*")
    assert kept.read_bytes() == whole + b"x"


@pytest.mark.parametrize("page", [20, 40, 60])
def test_a_bad_page_costs_what_was_on_it(file, page):
    data = bytearray(file.read_bytes())
    assert len(data) > 62 * PAGE
    data[page * PAGE : (page + 1) * PAGE] = b"\xff" * PAGE
    file.write_bytes(data)
    warnings = []
    shown = opened(file, warnings)
    assert sum(map(len, shown.values())) > 2 * EXCHANGES * CONVERSATIONS - 60
    assert len(warnings) <= 1


def test_a_gap_in_the_numbers_costs_nothing_of_what_comes_behind_it(tmp_path, monkeypatch):
    """Of deleted conversations there may be more rows than are tried one by one."""
    monkeypatch.setattr(salvage, "_MISSES", 300)
    source = tmp_path / "rows.db"
    with contextlib.closing(sqlite3.connect(source)) as database, database:
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
        numbers = [*range(1, 200), *range(100_000, 100_200)]
        database.executemany("INSERT INTO rows VALUES (?, ?)", [(each, "word " * 40) for each in numbers])
    data = bytearray(source.read_bytes())
    data[4 * PAGE : 5 * PAGE] = b"\xff" * PAGE
    source.write_bytes(data)
    with contextlib.closing(sqlite3.connect(":memory:")) as target:
        target.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
        saved, lost = salvage.salvage(source, target, {"rows": ["id", "text"]})
        kept = [number for (number,) in target.execute("SELECT id FROM rows ORDER BY id")]
    assert saved == len(kept) < len(numbers) == saved + lost
    assert kept[0] == 1 and kept[-1] == numbers[-1]
