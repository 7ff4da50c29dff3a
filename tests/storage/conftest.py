import pytest

from trchat.storage.conversations import ConversationStore


class Clock:
    """A time that moves only when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def warnings():
    """What the person was told; a test that expects nothing says so by comparing it with []."""
    return []


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "conversations.db"


@pytest.fixture
def store(file, clock, warnings):
    store = ConversationStore(file, warnings.append, clock)
    yield store
    store.close()
    assert warnings == []


@pytest.fixture
def chat(store):
    """A conversation of system prompt, question and answer: (conversation, question, answer)."""
    chat = store.create_conversation()
    store.add_message(chat.id, "system", "Be brief.")
    question = store.add_message(chat.id, "user", "Why is the sky blue?")
    answer = store.begin_answer(question.id, "smol", {"temp": 0.5})
    store.finish_answer(answer.id, "Scattering.", "stop")
    return chat, question, answer
