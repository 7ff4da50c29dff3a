"""Files with random damage: at worst history is set aside, and nothing but TrchatError ever gets out."""

import random
import shutil
import sqlite3

import pytest

from tests.storage.damage import spoil, swap_pages
from trchat.errors import TrchatError
from trchat.storage import connection
from trchat.storage.conversations import ConversationStore
from trchat.storage.export import to_json, to_markdown

pytestmark = pytest.mark.slow

ROUNDS = 300


@pytest.fixture
def sound(tmp_path):
    """A history of some pages: branches, reasoning, settings, an interrupted answer, an index."""
    file = tmp_path / "sound.db"
    store = ConversationStore(file, pytest.fail)
    for number in range(8):
        chat = store.create_conversation()
        for turn in range(5):
            question = store.add_message(chat.id, "user", f"question {number} {turn} " + "why " * 30)
            answer = store.begin_answer(question.id, "model", {"temp": 0.7, "draft": "auto"})
            store.finish_answer(answer.id, "because " * 200, "stop", reasoning="hm", tokens_per_s=4.5)
        store.edit_message(question.id, "another way")
    store.begin_answer(question.id)
    store.delete(1)
    assert store.search("because")
    store.close()
    return file


def use_all_of_it(store):
    """Do everything once; each step on its own, since one that refuses must not spare the others."""
    steps = [
        lambda: store.kept(),
        lambda: store.search("because why"),
        lambda: store.search("C++"),
        lambda: [to_markdown(chat, store.thread(chat.id)) for chat in store.conversations()],
        lambda: [to_json(chat, store.messages(chat.id)) for chat in store.conversations()],
        lambda: [store.select_branch(message.id) for message in store.messages(3)],
        lambda: store.branches(2),
        lambda: store.rename(2, "renamed"),
        lambda: store.finish_answer(20, "changed " * 300, "stop"),
        lambda: store.edit_message(33, "edited"),
        lambda: store.remove(4),
        lambda: store.purge(),
    ]
    refusals = 0
    for step in steps:
        try:
            step()
        except TrchatError as refusal:
            assert "\n" not in str(refusal)
            refusals += 1
    return refusals


def works(store):
    chat = store.create_conversation()
    question = store.add_message(chat.id, "user", "still there?")
    answer = store.begin_answer(question.id)
    store.update_answer(answer.id, "Y")
    store.finish_answer(answer.id, "Yes", "stop")
    return [message.text for message in store.thread(chat.id)] == ["still there?", "Yes"]


def test_random_damage(sound, tmp_path, monkeypatch):
    # Power cuts are another matter: waiting for the disk only costs time here.
    monkeypatch.setattr(connection, "PRAGMAS", (*connection.PRAGMAS, "PRAGMA synchronous = OFF"))
    whole = sound.read_bytes()
    folder = tmp_path / "fuzz"
    outcomes = {"quiet": 0, "set aside": 0, "refused": 0, "unsaved": 0}
    for seed in range(ROUNDS):
        folder.mkdir()
        file = folder / "conversations.db"
        file.write_bytes(spoil(bytearray(whole), random.Random(seed)))
        warnings = []
        store = ConversationStore(file, warnings.append)
        refusals = use_all_of_it(store)
        try:
            assert works(store), seed
        except TrchatError:
            outcomes["refused"] += 1
        outcomes["unsaved"] += store.path is None
        store.close()
        outcomes["set aside" if len(list(folder.iterdir())) > 1 else "quiet"] += 1
        assert len(warnings) <= 2 and all("\n" not in line for line in warnings), (seed, warnings)
        assert refusals < 12, seed
        shutil.rmtree(folder)
    assert outcomes["set aside"] > ROUNDS / 4
    assert outcomes["quiet"] > ROUNDS / 10
    # A file may turn out to be damaged in the middle of a conversation, which is then gone; else all goes on.
    assert outcomes["refused"] + outcomes["unsaved"] < ROUNDS / 50


def test_an_index_that_belies_its_table_costs_nothing(sound, warnings):
    before = sqlite3.connect(sound)
    page = dict(before.execute("SELECT name, rootpage FROM sqlite_master"))
    before.close()
    data = bytearray(sound.read_bytes())
    swap_pages(data, *(page[name] - 1 for name in ("conversations_by_time", "messages_by_conversation")))
    sound.write_bytes(data)
    store = ConversationStore(sound, warnings.append)
    assert works(store)
    assert len(store.conversations()) == 8 and len(store.messages(5)) == 11
    store.close()
    assert warnings == [] and {path.name for path in sound.parent.iterdir()} == {"sound.db"}
    after = sqlite3.connect(sound)
    assert after.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    after.close()


def test_a_damaged_write_ahead_log(sound, tmp_path, warnings):
    """SQLite drops what it cannot check; the file itself stays good."""
    store = ConversationStore(sound, warnings.append)
    store.rename(2, "in the log")
    log = sound.with_name("sound.db-wal").read_bytes()
    whole = sound.read_bytes()
    store.close()
    file = tmp_path / "conversations.db"
    for seed in range(30):
        file.write_bytes(whole)
        file.with_name("conversations.db-wal").write_bytes(spoil(bytearray(log), random.Random(seed)))
        store = ConversationStore(file, warnings.append)
        assert len(store.conversations()) == 7
        assert works(store)
        store.close()
    assert warnings == []
