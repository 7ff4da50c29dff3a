"""Of a damaged history all that can be read is saved, and fits together."""

import pytest

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
