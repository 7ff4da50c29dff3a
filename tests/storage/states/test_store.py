"""Pieces of caches: found by tokens, written whole or not at all, and gone with their conversation."""

import os
import stat
import threading
import time

import numpy as np
import pytest

from trchat.storage.states import store as store_module
from trchat.storage.states.folder import Name, StatesFolder, budget_for
from trchat.storage.states.owners import forget_conversations, forget_model
from trchat.storage.states.span import About, Span, next_key, root_key
from trchat.storage.states.store import StateStore

STEP = 4
ROOT = root_key(["a model"])
BYTES = 1000
SECRET = 7007


@pytest.fixture
def path(tmp_path):
    return tmp_path / "states" / "model"


@pytest.fixture
def notes():
    return []


@pytest.fixture
def open_store(path, notes):
    opened = []

    def opening(root=ROOT, budget=10**6, disk=True, is_kept=lambda conversation: True, **more):
        folder = StatesFolder(path, budget, notes.append) if disk else None
        opened.append(StateStore(root, folder, is_kept=is_kept, note=notes.append, **more))
        return opened[-1]

    yield opening
    for each in opened:
        each.close(5.0)


def spans(text, root=ROOT):
    """The pieces of a text."""
    made, key = [], root
    for start in range(0, len(text), STEP):
        tokens = np.array(text[start : start + STEP], np.int32)
        part = np.full(BYTES, sum(text[: start + STEP]) % 251, np.uint8)
        made.append(Span(About(key, tokens), [part]))
        key = made[-1].about.key
    return made


def keep(store, text, conversation=1, used=None):
    made = spans(text, store.root)
    used = time.time() if used is None else used
    if conversation is not None:
        store.own(conversation, [name_of(span) for span in made], used)
    for span in made:
        store.put(span, conversation, used)
    assert store.wait(5.0)


def name_of(span):
    return Name(span.about.parent, span.about.key)


def found(store, text):
    """How many tokens of a text are found, each piece read and compared."""
    matches = store.find(text, STEP)
    at = 0
    for match in matches:
        span = store.get(match.name)
        assert span is not None and span.about.tokens.tolist()[: match.length] == list(
            text[at : at + match.length]
        )
        at += match.length
    return at


def files(path):
    return sorted(path.glob("*.kv"))


TEXT = list(range(10))


def test_another_program_finds_it_and_as_much_of_it_as_is_shared(open_store):
    keep(open_store(), TEXT)
    again = open_store()
    assert found(again, TEXT) == 10
    assert found(again, [*TEXT, 11]) == 10
    assert found(again, [*TEXT[:6], 77, 78]) == 6
    assert found(again, [*TEXT[:3], 77]) == 3
    assert found(again, [77, *TEXT]) == 0
    assert found(open_store(root=root_key(["another model"])), TEXT) == 0


def test_a_longer_end_takes_the_place_of_a_shorter_one(open_store, path):
    store = open_store()
    keep(store, TEXT)
    assert len(files(path)) == 3
    keep(store, [*TEXT, 10])
    assert len(files(path)) == 3
    store.find(TEXT, STEP)
    keep(store, [*TEXT, 10, 11, 12])
    assert len(files(path)) == 4
    assert found(store, [*TEXT, 10, 11, 12]) == 13


def test_states_are_found_at_the_places_they_can_go_back_to(open_store):
    store = open_store()
    whole = Span(About(ROOT, np.arange(20, dtype=np.int32), (5, 12)), [np.ones(9, np.uint8)] * 3)
    store.own(1, [name_of(whole)], 1.0)
    store.put(whole, 1, 1.0)
    store.wait(5.0)
    again = open_store()
    for shared, usable in ((20, 20), (19, 12), (12, 12), (11, 5), (4, 0)):
        text = [*range(shared), 99]
        assert sum(match.length for match in again.find(text, 0)) == usable
    (match,) = again.find(list(range(20)), 0)
    span = again.get(match.name)
    assert span.about.points == (5, 12) and [part.tolist() for part in span.parts] == [[1] * 9] * 3


def test_only_its_owner_may_read_it(open_store, path):
    keep(open_store(), TEXT)
    for file in (path, *path.iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or os.name == "nt"


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "bit", "head", "other"])
def test_what_is_damaged_is_dropped_and_told_to_the_log_alone(open_store, path, notes, damage):
    keep(open_store(), TEXT)
    first, second = (path / str(name_of(span)) for span in spans(TEXT)[:2])
    data = bytearray(second.read_bytes())
    if damage == "cut":
        del data[-100:]
    elif damage == "longer":
        data += b"x"
    elif damage == "empty":
        data.clear()
    elif damage == "bit":
        data[len(data) // 2] ^= 4
    elif damage == "head":
        data[8] ^= 2
    else:
        data = first.read_bytes()
    second.write_bytes(bytes(data))
    again = open_store()
    matches = again.find(TEXT, STEP)
    spans_read = [again.get(match.name) for match in matches]
    assert spans_read[0] is not None and spans_read[1] is None
    assert not second.exists() and len(notes) == 1 and "damaged" in notes[0]


def test_every_single_changed_byte_is_noticed(open_store, path):
    keep(open_store(), TEXT[:4])
    (file,) = files(path)
    whole = file.read_bytes()
    again = open_store()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert again.get(name_of(spans(TEXT[:4])[0])) is None
        assert not file.exists()


def test_what_was_used_longest_ago_goes_first_and_ends_before_beginnings(open_store, path):
    budget = 7 * (BYTES + 200)
    store = open_store(budget=budget)
    keep(store, [1, *TEXT[1:]], conversation=1, used=1000.0)
    keep(store, [2, *TEXT[1:]], conversation=2, used=2000.0)
    store.own(1, [name_of(span) for span in spans([1, *TEXT[1:]])], 3000.0)
    keep(store, [3, *TEXT[1:]], conversation=3, used=4000.0)
    assert sum(file.stat().st_size for file in files(path)) <= budget
    again = open_store(budget=budget)
    assert found(again, [3, *TEXT[1:]]) == found(again, [1, *TEXT[1:]]) == 10
    assert found(again, [2, *TEXT[1:]]) <= 4


def test_what_is_larger_than_the_budget_is_not_written(open_store, path):
    keep(open_store(budget=BYTES // 2), TEXT)
    assert not files(path)


def test_a_piece_goes_with_the_last_conversation_that_has_it(open_store, path):
    store = open_store()
    shared = [SECRET] * STEP
    keep(store, [*shared, 1, 2], conversation=1)
    keep(store, [*shared, 3, 4], conversation=2)
    assert len(files(path)) == 3
    forget_conversations([1], path.parent)
    assert found(open_store(), [*shared, 1, 2]) == 4
    assert found(open_store(), [*shared, 3, 4]) == 6
    forget_conversations([2], path.parent)
    assert not list(path.iterdir())


def test_words_of_a_deleted_conversation_are_overwritten(open_store, path):
    keep(open_store(), [SECRET] * 4)
    (file,) = files(path)
    other = path / "still-open"
    os.link(file, other)
    forget_conversations([1], path.parent)
    assert set(other.read_bytes()) == {0}


def test_nothing_is_written_of_a_conversation_that_was_deleted(open_store, path):
    keep(open_store(is_kept=lambda conversation: False), TEXT)
    assert not path.exists() or not list(path.iterdir())


def test_nothing_is_written_of_what_belongs_to_none(open_store, path):
    store = open_store(memory=10**6)
    keep(store, TEXT, conversation=None)
    assert found(store, TEXT) == 10 and not files(path)


def test_a_conversation_deleted_while_its_pieces_wait_leaves_none(open_store, path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    write = store_module.StatesFolder.write

    def slowly(self, span, used):
        begun.set()
        go_on.wait(5.0)
        return write(self, span, used)

    monkeypatch.setattr(store_module.StatesFolder, "write", slowly)
    store = open_store()
    made = spans(TEXT)
    store.own(1, [name_of(span) for span in made], 1.0)
    for span in made:
        store.put(span, 1, 1.0)
    assert begun.wait(5.0)
    forget_conversations([1], path.parent)
    go_on.set()
    assert store.wait(5.0)
    assert not list(path.iterdir())


def test_a_full_disk_ends_writing_and_leaves_nothing_half_written(open_store, path, notes, monkeypatch):
    def no_room(span, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    store = open_store(memory=10**6)
    monkeypatch.setattr("trchat.storage.states.folder.write_span", no_room)
    keep(store, TEXT)
    assert not store.on_disk and len(notes) == 1 and "No space" in notes[0]
    assert [file.suffix for file in path.iterdir()] == [".json"]
    assert found(store, TEXT) == 10, "it is still in memory"


def test_what_a_killed_program_left_is_removed_after_an_hour(open_store, path):
    keep(open_store(), TEXT)
    orphan, half = path / str(Name(ROOT, next_key(ROOT, np.array([5], np.int32)))), path / "1-2.part"
    gone = path / "77.json"
    for file in (orphan, half, gone):
        file.write_text("[]")
        os.utime(file, (1, 1))
    fresh = path / "1-3.part"
    fresh.write_text("")
    keep(open_store(), [9, *TEXT], conversation=2)
    assert not orphan.exists() and not half.exists() and not gone.exists() and fresh.exists()
    assert found(open_store(), TEXT) == 10


def test_memory_lets_go_of_ends_of_the_oldest_texts(open_store, path):
    store = open_store(disk=False, memory=7 * BYTES)
    one, two, three = ([number, *TEXT[1:]] for number in (1, 2, 3))
    keep(store, one, conversation=None)
    keep(store, two, conversation=None)
    assert found(store, one) == found(store, two) == 10
    keep(store, three, conversation=None)
    assert found(store, three) == 10
    assert found(store, two) == 10, "used last"
    assert found(store, one) == 4, "its end went first"


def test_a_model_s_states_can_be_forgotten(open_store, path):
    keep(open_store(), TEXT)
    assert forget_model(path) == 3
    assert not path.exists()
    assert forget_model(path) == 0


def test_the_budget(monkeypatch, home):
    free = 10**9
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": free}))
    assert budget_for(None) == 50_000_000
    assert budget_for(123) == 123 and budget_for(0) == 0
    free = 10**12
    assert budget_for(None) == 2 << 30
