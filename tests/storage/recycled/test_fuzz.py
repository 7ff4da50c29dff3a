"""Stores with random damage, in the file and in its values: at worst what was learned is lost."""

import random
import shutil
import sqlite3

import numpy as np
import pytest

from tests.storage.damage import spoil
from tests.storage.recycled.learned import VOCABULARY, identity, one, teach, teach_at_random
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.drafter import RecyclingDrafter, Verified
from trchat.storage import connection
from trchat.storage.recycled.files import open_memory, recycled_dir, reset_store, store_file
from trchat.storage.recycled.rows import encode, merge
from trchat.storage.recycled.store import RecycledStore
from trchat.storage.recycled.tables import rows_since

pytestmark = pytest.mark.slow

ROUNDS = 500
MADE_UP = 120


@pytest.fixture
def sound(warnings, monkeypatch):
    """The bytes of a store of some pages with everything in it."""
    # Power cuts are another matter: waiting for the disk only costs time here.
    monkeypatch.setattr(connection, "PRAGMAS", (*connection.PRAGMAS, "PRAGMA synchronous = OFF"))
    chance = np.random.default_rng(0)
    reset_store(identity())
    for _ in range(3):
        memory = open_memory(identity(), "cpu", warnings.append)
        teach(memory.knowledge, range(0, 600, 3), range(200))
        teach_at_random(memory.knowledge, chance, 300, VOCABULARY)
        memory.knowledge.calibration.learn(chance.integers(0, 9000, 500), chance.random(500) < 0.3)
        memory.matrix.update(chance.integers(0, VOCABULARY, 200), chance.integers(0, VOCABULARY, (200, 8)))
        memory.costs.enter(0)
        memory.costs.observe(1, 12.0)
        memory.save("auto", one())
        assert memory.close(60)
    assert warnings == []
    return store_file(identity()).read_bytes()


def drafts_are_tokens(memory, prompt):
    """Draft, learn and save as an answer does; every drafted token is one of the vocabulary."""
    logits = np.zeros((65, VOCABULARY), np.float32)
    logits[:, 7:20] = np.arange(13)
    drafted = 0
    for drafter in (AutoDrafter(memory.knowledge, memory.costs, width=24), RecyclingDrafter(memory.matrix)):
        drafter.begin(prompt)
        tree = drafter.draft(60)
        assert ((tree.tokens >= 0) & (tree.tokens < VOCABULARY)).all()
        drafted += len(tree)
        drafter.learn(Verified(prompt[-1], tree, logits[: 1 + len(tree)], (), (19,), 1 + len(tree)))
        drafter.draft(60)
    memory.save("auto", one())
    assert memory.close(60)
    return drafted


def test_random_damage(sound, monkeypatch):
    outcomes = {"quiet": 0, "told": 0}
    drafted = 0
    for seed in range(ROUNDS):
        shutil.rmtree(recycled_dir())
        recycled_dir().mkdir()
        store_file(identity()).write_bytes(spoil(bytearray(sound), random.Random(seed)))
        told = []
        memory = open_memory(identity(), "cpu", told.append)
        drafted += drafts_are_tokens(memory, [302, 301, 300]) > 5
        assert len(told) <= 2 and all("\n" not in line for line in told), (seed, told)
        outcomes["told" if told else "quiet"] += 1
        if seed % 5:
            continue
        left = []
        again = open_memory(identity(), "cpu", left.append)
        assert again.knowledge.rows_learned > 0 and left == [], (seed, left)
        assert again.close(60)
    assert outcomes["told"] > ROUNDS / 10 and outcomes["quiet"] > ROUNDS / 10
    assert drafted > ROUNDS / 10


VALUES = (
    None,
    0,
    -1,
    1,
    3,
    1 << 31,
    (1 << 63) - 1,
    -(1 << 63),
    1e308,
    "x",
    "\x00",
    b"",
    b"\xff" * 40,
    "9" * 400,
)


def test_made_up_values_in_a_sound_file(sound):
    """What checksums cannot see: a file that somebody wrote with SQLite."""
    for seed in range(MADE_UP):
        chance = random.Random(seed)
        shutil.rmtree(recycled_dir())
        recycled_dir().mkdir()
        store_file(identity()).write_bytes(sound)
        database = sqlite3.connect(store_file(identity()))
        for _ in range(chance.randint(1, 3)):
            table = chance.choice(["segments", "segments", "calibration", "step_costs", "totals", "about"])
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            value = chance.choice([*VALUES, chance.randbytes(50)])
            try:
                where = f"WHERE rowid = {chance.randint(1, 6)}" if chance.random() < 0.7 else ""
                database.execute(f"UPDATE {table} SET {chance.choice(columns)} = ? {where}", (value,))
            except sqlite3.IntegrityError:
                continue
        database.commit()
        database.close()
        told = []
        store = RecycledStore(store_file(identity()), None, told.append)
        store.about(), store.totals(), store.row_counts(), store.rates()
        store.close()
        memory = open_memory(identity(), "cpu", told.append)
        drafts_are_tokens(memory, [302, 301, 300])
        expected = ("belongs to another", "that another version of trchat has learned")
        assert all(any(words in line for words in expected) for line in told), (seed, told)
        again = open_memory(identity(), "cpu", told.append)
        assert again.knowledge.rows_learned > 0
        assert again.close(60)


def test_rows_with_tokens_of_another_vocabulary_never_reach_a_draft(sound, warnings):
    chance = np.random.default_rng(3)
    memory = open_memory(identity(), "cpu", warnings.append)
    table = memory.knowledge.tables[0]
    table.packed[:, 3] = (chance.integers(VOCABULARY, 1 << 24, len(table.tags)) << 8 | 9).astype(np.uint32)
    hostile = merge(rows_since(table, -1), 4)
    assert memory.close(60)
    database = sqlite3.connect(store_file(identity()))
    database.execute(
        "UPDATE segments SET count = ?, data = ? WHERE source = 'rows1'", (len(hostile), encode(hostile))
    )
    database.commit()
    database.close()
    memory = open_memory(identity(), "cpu", warnings.append)
    assert memory.knowledge.tables[0].rows_learned == 0
    assert memory.knowledge.tables[1].rows_learned > 0
    assert drafts_are_tokens(memory, [302, 301, 300]) > 0
    assert warnings == []
