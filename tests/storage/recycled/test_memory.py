"""A model's memory: what one session learns, the next one knows."""

import shutil
import sqlite3

import numpy as np
import pytest

from tests.storage.recycled.learned import (
    TOKENS,
    VOCABULARY,
    counts,
    expected,
    identity,
    known,
    one,
    saved,
    teach,
    teach_at_random,
)
from trchat.recycling.candidates import WAYS
from trchat.storage.recycled import files
from trchat.storage.recycled.files import open_memory, store_file
from trchat.storage.recycled.memory import Memory
from trchat.storage.recycled.records import Totals
from trchat.storage.recycled.store import RecycledStore


def test_what_is_held_is_what_a_session_that_starts_now_begins_with():
    memory = Memory(VOCABULARY)
    teach(memory.knowledge, TOKENS, TOKENS)
    memory.knowledge.calibration.learn(np.arange(40, dtype=np.intp), np.arange(40) % 3 == 0)
    memory.matrix.update(np.array([5, 9]), np.arange(16).reshape(2, 8))
    held = memory.held()
    before = counts(memory.knowledge.calibration)
    teach(memory.knowledge, TOKENS, [number + 1 for number in TOKENS])
    memory.knowledge.calibration.learn(np.arange(40, dtype=np.intp), np.ones(40, bool))
    memory.matrix.update(np.array([5]), np.arange(8, 16).reshape(1, 8))
    for _ in range(2):
        again = Memory(VOCABULARY, held)
        assert known(again.knowledge, TOKENS) == expected(TOKENS)
        assert np.array_equal(counts(again.knowledge.calibration), before)
        assert again.matrix.candidates[[5, 9]].tolist() == np.arange(16).reshape(2, 8).tolist()
        teach(again.knowledge, TOKENS, [number + 2 for number in TOKENS])


def test_the_next_session_knows_everything(warnings):
    memory = open_memory(identity(), "cpu", warnings.append)
    assert memory.knowledge.rows_learned == 0
    teach(memory.knowledge, TOKENS, TOKENS)
    right = np.arange(40) % 3 == 0
    memory.knowledge.calibration.learn(np.arange(40, dtype=np.intp), right)
    memory.matrix.update(np.array([5, 9]), np.arange(16).reshape(2, 8))
    memory.costs.enter(0)
    memory.costs.measured(1, 10.0)
    memory.costs.measured(4, 15.5)
    memory.costs.work_ms = 0.5
    assert memory.save("auto", one())
    assert memory.close(30)

    again = open_memory(identity(), "cpu", warnings.append)
    assert known(again.knowledge, TOKENS) == expected(TOKENS)
    assert again.knowledge.rows_learned == memory.knowledge.rows_learned
    assert np.allclose(counts(again.knowledge.calibration), counts(memory.knowledge.calibration))
    assert np.allclose(again.knowledge.calibration.weights, memory.knowledge.calibration.weights)
    assert counts(again.knowledge.calibration)[1].sum() == pytest.approx(40)
    assert again.matrix.candidates[[5, 9]].tolist() == np.arange(16).reshape(2, 8).tolist()
    assert again.matrix.rows_learned == 2
    assert again.costs_recalled and again.costs.of(4) == 15.5 and again.costs.of(1) == 10.0
    assert again.costs.plain_ms == 9.5
    assert again.close(30)
    other = open_memory(identity(), "cuda", warnings.append)
    assert not other.costs_recalled and other.costs.curve == {}
    assert other.close(30)
    assert warnings == []


def test_only_what_changed_is_written(warnings):
    saved(warnings)
    memory = open_memory(identity(), "cpu", warnings.append)
    teach(memory.knowledge, [1], [77])
    memory.save("auto", one())
    assert memory.close(30)
    database = sqlite3.connect(store_file(identity()))
    counts = database.execute("SELECT generation, source, count FROM segments ORDER BY 1, 2").fetchall()
    database.close()
    assert [row for row in counts if row[0] == 2] == [
        (2, table, 1) for table in ("gap", "rows1", "rows2", "rows3")
    ]
    again = open_memory(identity(), "cpu", warnings.append)
    assert known(again.knowledge, [1, *TOKENS]) == expected([77, *TOKENS])
    assert again.close(30)
    assert warnings == []


def test_nothing_is_written_without_remember_or_for_nothing(warnings):
    memory = open_memory(identity(), "cpu", warnings.append, remember=False)
    teach(memory.knowledge, TOKENS, TOKENS)
    assert not memory.save("auto", one())
    assert memory.close()
    assert not store_file(identity()).exists()
    saved(warnings)
    before = store_file(identity()).read_bytes()
    memory = open_memory(identity(), "cpu", warnings.append, remember=False)
    assert known(memory.knowledge, TOKENS) == expected(TOKENS)
    teach(memory.knowledge, TOKENS, TOKENS[::-1])
    memory.save("auto", one())
    assert memory.close()
    assert store_file(identity()).read_bytes() == before
    cold = open_memory(identity(), "cpu", warnings.append, remember=False, recall=False)
    assert cold.knowledge.rows_learned == 0
    assert warnings == []


def test_totals_add_up_by_draft_mode(warnings):
    for day in range(3):
        memory = open_memory(identity(), "cpu", warnings.append)
        assert memory.came_free == 6 * day
        memory.save("auto", one())
        memory.save("recycling", one(5, 5))
        assert memory.came_free == 6 * (day + 1)
        assert memory.close(30)
    store = RecycledStore(store_file(identity()), identity(), warnings.append)
    assert store.totals() == {"auto": Totals(3, 30, 12, 24, 18), "recycling": Totals(3, 15, 15, 24, 18)}
    store.close()
    assert warnings == []


def test_another_quantisation_starts_from_its_siblings_rows_and_says_so(warnings):
    memory = open_memory(identity(), "cpu", warnings.append)
    teach(memory.knowledge, TOKENS, TOKENS)
    memory.knowledge.calibration.learn(np.arange(40, dtype=np.intp), np.ones(40, bool))
    memory.costs.enter(0)
    memory.costs.observe(1, 10.0)
    memory.save("auto", one())
    assert memory.close(30)
    assert warnings == []
    sibling = identity(weights="s", quantisation="Q4_0")
    memory = open_memory(sibling, "cpu", warnings.append)
    assert len(warnings) == 1 and "(Q8_0)" in warnings[0]
    assert memory.came_free == 0, "what came free came free with another model"
    assert known(memory.knowledge, TOKENS) == expected(TOKENS)
    assert counts(memory.knowledge.calibration)[0].sum() == pytest.approx(40)
    assert not memory.costs_recalled
    memory.save("auto", one())
    assert memory.close(30)
    again = open_memory(sibling, "cpu", warnings.append)
    assert known(again.knowledge, TOKENS) == expected(TOKENS)
    assert counts(again.knowledge.calibration)[0].sum() == pytest.approx(40)
    assert again.close(30)
    assert len(warnings) == 1, "from then on it has its own"
    stranger = open_memory(identity(weights="x", name="Other"), "cpu", warnings.append, remember=False)
    assert stranger.knowledge.rows_learned == 0
    assert len(warnings) == 1


def test_a_store_under_another_models_name_is_set_aside(warnings):
    saved(warnings)
    other = identity(weights="o", name="Other")
    shutil.copy(store_file(identity()), store_file(other))
    memory = open_memory(other, "cpu", warnings.append)
    assert memory.knowledge.rows_learned == 0
    assert memory.close(30)
    assert len(warnings) == 1 and "belongs to another model" in warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [32_000, 152_000, 262_144])
def test_bounds_on_disk_and_in_memory(vocabulary, warnings, monkeypatch):
    from trchat.storage import connection

    monkeypatch.setattr(connection, "PRAGMAS", (*connection.PRAGMAS, "PRAGMA synchronous = OFF"))
    who, random = identity(vocabulary), np.random.default_rng(vocabulary)
    memory = open_memory(who, "cpu", warnings.append)
    largest = 0
    for answer in range(24):
        for _ in range(8):
            teach_at_random(memory.knowledge, random, 800, vocabulary)
        memory.knowledge.calibration.learn(random.integers(0, 13_000, 3000), random.random(3000) < 0.3)
        if answer % 2:
            tokens = random.permutation(vocabulary)[:4000].astype(np.int32)
            memory.matrix.update(tokens, (tokens[:, None] + np.arange(8)) % vocabulary)
        assert memory.save("auto", one())
        assert memory._writer.wait(60)
        sizes = [path.stat().st_size for path in files.recycled_dir().iterdir() if "-shm" not in path.name]
        largest = max(largest, sum(sizes))
    assert memory.close(60)
    assert 1_000_000 < largest <= 2_000_000
    assert memory.knowledge.nbytes <= 2_000_000
    again = open_memory(who, "cpu", warnings.append)
    full = memory.knowledge.rows_learned
    assert again.knowledge.rows_learned == full == 8192 + 2 * 32768, "numbers at random, the worst there is"
    for kept, table in zip(again.knowledge.tables, memory.knowledge.tables, strict=True):
        newest = np.flatnonzero((table.stamps == memory.knowledge.clock) & ~np.isin(table.tags, kept.tags))
        others = kept.counts.reshape(-1, WAYS)[newest // WAYS]
        assert (others >= table.counts[newest, None]).all(), "only for rows learned as often or more"
    assert again.close(30)
    assert warnings == []
