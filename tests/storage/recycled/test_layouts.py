"""Tables and counts of other shapes: kept as well as the present ones, and never mistaken for them."""

import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest

from tests.storage.recycled.learned import TOKENS, VOCABULARY, expected, identity, known, one, teach
from trchat.recycling import calibration, candidates, kernel
from trchat.recycling.calibration import Calibration
from trchat.recycling.candidates import CandidateTables, TableShape
from trchat.recycling.knowledge import Knowledge
from trchat.storage.recycled import hit_rates, memory, tables
from trchat.storage.recycled.files import open_memory, rows_in_store, store_file
from trchat.storage.recycled.store import RecycledStore


class OtherKnowledge(Knowledge):
    """Fewer and smaller tables, and other numbers of candidates."""

    def __init__(self):
        super().__init__()
        self.rows = CandidateTables(
            [TableShape("rows1", (1,), 1024, 8), TableShape("rows3", (1, 2, 3), 4096, 1)]
        )


def saved(warnings):
    told = open_memory(identity(), "cpu", warnings.append)
    teach(told.knowledge, TOKENS, TOKENS)
    told.knowledge.calibration.learn(np.arange(40, dtype=np.intp), np.ones(40, bool))
    told.save("auto", one())
    assert told.close(60)
    return told


def test_any_tables_come_back_as_they_were(warnings, monkeypatch):
    for module in (memory, tables):
        monkeypatch.setattr(module, "Knowledge", OtherKnowledge)
    before = saved(warnings).knowledge
    after = open_memory(identity(), "cpu", warnings.append, remember=False).knowledge
    for one_table, other in zip(before.tables, after.tables, strict=True):
        assert one_table.rows_learned == other.rows_learned > 80
        assert np.array_equal(np.sort(one_table.tags), np.sort(other.tags))
        assert np.array_equal(
            one_table.packed[np.argsort(one_table.tags)], other.packed[np.argsort(other.tags)]
        )
    assert warnings == []


def changed_hashing(monkeypatch):
    monkeypatch.setattr(kernel, "KERNEL", None)
    monkeypatch.setattr(candidates, "_FINAL", 0xD6E8FEB86659FD95)


def changed_tables(monkeypatch):
    for module in (memory, tables):
        monkeypatch.setattr(module, "Knowledge", OtherKnowledge)


@pytest.mark.parametrize("change", [changed_hashing, changed_tables])
def test_rows_of_another_layout_are_left_out_said_once_and_make_room(change, warnings, monkeypatch):
    saved(warnings)
    with monkeypatch.context() as patch:
        change(patch)
        changed = open_memory(identity(), "cpu", warnings.append)
        assert changed.knowledge.rows_learned == 0
        assert warnings == [
            "400 rows that another version of trchat has learned cannot be used and are left out"
        ]
        changed.save("auto", one())
        assert changed.close(60)
        again = open_memory(identity(), "cpu", warnings.append)
        assert again.close(60) and len(warnings) == 1, "they are gone by now"
    assert rows_in_store(identity()) is None
    assert open_memory(identity(), "cpu", warnings.append).close(60) and len(warnings) == 1


def test_counts_of_another_meaning_are_left_out_and_rows_are_not(warnings, monkeypatch):
    saved(warnings)
    with monkeypatch.context() as patch:
        patch.setattr(calibration, "_ROW_EDGES", (0.01, 0.08, 0.25, 0.55, 0.85))
        changed = open_memory(identity(), "cpu", warnings.append)
        assert known(changed.knowledge, TOKENS) == expected(TOKENS)
        assert changed.knowledge.calibration.source_seen.sum() == Calibration().source_seen.sum()
        assert changed.close(60)
    assert warnings == []


def test_more_arrays_of_counts_are_kept_as_well(warnings, monkeypatch):
    """Whatever a calibration says that it has learned."""

    def init(self):
        original(self)
        self.extra_hits, self.extra_seen = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)

    original = Calibration.__init__
    monkeypatch.setattr(Calibration, "__init__", init)
    monkeypatch.setattr(Calibration, "COUNTS", (*Calibration.COUNTS, ("extra_hits", "extra_seen")))
    first = open_memory(identity(), "cpu", warnings.append)
    first.knowledge.calibration.extra_seen[1, 2] = 9
    first.knowledge.calibration.extra_hits[1, 2] = 4
    first.save("auto", one())
    assert first.close(60)
    again = open_memory(identity(), "cpu", warnings.append, remember=False).knowledge.calibration
    assert (again.extra_hits[1, 2], again.extra_seen[1, 2], again.extra_seen[0, 0]) == (4, 9, 1)
    wrong = hit_rates.vector(again)
    wrong[:] = -1
    hit_rates.restore(again, wrong)
    assert again.extra_hits.sum() == 0 and (again.extra_seen == 1).all()
    assert warnings == []


def test_a_store_says_how_much_it_cannot_use(warnings):
    saved(warnings)
    store = RecycledStore(store_file(identity()), identity(), warnings.append)
    assert store.rows_left_out() == 0
    store.close()
    connection = sqlite3.connect(store_file(identity()))
    connection.execute("UPDATE segments SET layout = 'of the future' WHERE source = 'rows2'")
    connection.commit()
    connection.close()
    half = open_memory(identity(VOCABULARY), "cpu", warnings.append, remember=False)
    assert half.knowledge.rows_learned == 300
    assert warnings == ["100 rows that another version of trchat has learned cannot be used and are left out"]


def test_a_store_of_the_first_version_is_read_and_goes_on(warnings):
    """Its rows say nothing of how often they were learned."""
    saved(warnings)
    path = store_file(identity())
    with closing(sqlite3.connect(path)) as connection, connection:
        for rowid, count, data in connection.execute("SELECT rowid, count, data FROM segments").fetchall():
            older = zlib.compress(zlib.decompress(data)[:-count])
            connection.execute("UPDATE segments SET data = ? WHERE rowid = ?", (older, rowid))
        connection.execute("PRAGMA user_version = 1")
    memory = open_memory(identity(), "cpu", warnings.append)
    assert known(memory.knowledge, TOKENS) == expected(TOKENS)
    assert all(table.counts.max() == 1 for table in memory.knowledge.tables)
    teach(memory.knowledge, TOKENS[:5], TOKENS[:5])
    memory.save("auto", one())
    assert memory.close(60)
    again = open_memory(identity(), "cpu", warnings.append, remember=False).knowledge
    assert known(again, TOKENS) == expected(TOKENS)
    assert [table.counts.tolist().count(2) for table in again.tables] == [5] * len(again.tables)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert [kept.name for kept in path.parent.iterdir() if kept.suffix == ".db"] == [path.name]
    assert warnings == []
