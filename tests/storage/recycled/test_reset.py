"""Forgetting what was learned about a model, also while somebody runs it."""

import numpy as np
import pytest

from tests.storage.recycled.learned import counts, expected, identity, known, one, teach
from trchat.errors import TrchatError
from trchat.recycling.knowledge import Knowledge
from trchat.storage.recycled import hit_rates
from trchat.storage.recycled.files import open_memory, recycled_dir, reset_store, rows_in_store, store_file
from trchat.storage.recycled.records import Totals
from trchat.storage.recycled.store import RecycledStore

OLD = list(range(0, 300, 3))
NEW = list(range(601, 661, 3))
NOTHING = [[]] * len(Knowledge().tables)


def learn(memory, tokens, kind):
    teach(memory.knowledge, tokens, tokens)
    memory.knowledge.calibration.learn(np.full(4, kind, np.intp), np.array([True, True, True, False]))
    assert memory.save("auto", one())
    assert memory._writer.wait(60)


def stored(warnings):
    store = RecycledStore(store_file(identity()), identity(), warnings.append)
    try:
        return store.load(), store.totals()
    finally:
        store.close()


def test_whoever_runs_the_model_saves_on_and_only_what_is_learned_from_then_on(warnings):
    memory = open_memory(identity(), "cpu", warnings.append)
    learn(memory, OLD, kind=1)
    reset_store(identity())
    assert rows_in_store(identity()) is None
    for _ in range(2):  # the second save must not bring back what was forgotten either
        learn(memory, NEW, kind=2)
    assert memory.close(60)

    loaded, totals = stored(warnings)
    assert totals == {"auto": Totals(2, 20, 8, 16, 12)}
    fresh = open_memory(identity(), "cpu", warnings.append, remember=False)
    assert known(fresh.knowledge, OLD) == [NOTHING] * len(OLD)
    assert known(fresh.knowledge, NEW) == expected(NEW)
    seen = counts(fresh.knowledge.calibration)[1]
    assert seen[1:3].tolist() == pytest.approx([0, 8], abs=1e-3), (
        "counts of before are forgotten, and those since are kept"
    )
    assert np.isfinite(loaded.calibration).all()
    assert warnings == []


def test_two_that_run_it_add_up_after_a_reset(warnings):
    first, second = (open_memory(identity(), "cpu", warnings.append) for _ in range(2))
    learn(first, OLD, kind=1)
    learn(second, OLD, kind=1)
    reset_store(identity())
    learn(first, NEW[:10], kind=2)
    learn(second, NEW[10:], kind=3)
    assert first.close(60) and second.close(60)
    fresh = open_memory(identity(), "cpu", warnings.append, remember=False)
    assert known(fresh.knowledge, [*OLD, *NEW]) == [NOTHING] * len(OLD) + expected(NEW)
    assert counts(fresh.knowledge.calibration)[1][1:4].tolist() == pytest.approx([0, 4, 4], abs=1e-3)
    assert warnings == []


def test_what_was_forgotten_is_not_inherited_from_a_sibling(warnings):
    sibling = open_memory(identity(weights="s", quantisation="Q4_0"), "cpu", warnings.append)
    learn(sibling, OLD, kind=1)
    assert sibling.close(60)
    memory = open_memory(identity(), "cpu", warnings.append)
    assert memory.knowledge.rows_learned and len(warnings) == 1
    learn(memory, NEW, kind=1)
    assert memory.close(60)
    reset_store(identity())
    again = open_memory(identity(), "cpu", warnings.append)
    assert again.knowledge.rows_learned == 0 and len(warnings) == 1
    assert again.close(60)


def test_nothing_of_it_stays_readable_in_the_file(warnings):
    memory = open_memory(identity(), "cpu", warnings.append)
    learn(memory, OLD, kind=1)
    assert memory.close(60)
    store = RecycledStore(store_file(identity()), identity(), warnings.append)
    blobs = store._database.read(lambda db: [row[0] for row in db.execute("SELECT data FROM segments")])
    store.close()
    before = store_file(identity()).read_bytes()
    assert all(blob[:64] in before for blob in blobs)
    reset_store(identity())
    after = b"".join(path.read_bytes() for path in recycled_dir().iterdir())
    assert not any(blob[:64] in after for blob in blobs)
    assert warnings == []


def test_a_store_that_cannot_be_written_is_not_forgotten_and_says_so():
    recycled_dir().parent.mkdir(parents=True)
    recycled_dir().write_text("a file where the folder should be")
    with pytest.raises(TrchatError, match="nothing was forgotten: cannot write"):
        reset_store(identity())


def test_resets_again_and_again(warnings):
    """Each one counts as a save, so the running ones never mistake an old state for a new one."""
    memory = open_memory(identity(), "cpu", warnings.append)
    for number in range(5):
        learn(memory, [3 * number], kind=1)
        reset_store(identity())
        reset_store(identity())
    learn(memory, [100], kind=1)
    assert memory.close(60)
    fresh = open_memory(identity(), "cpu", warnings.append, remember=False)
    assert fresh.knowledge.rows_learned == 4 and known(fresh.knowledge, [100]) == expected([100])
    assert hit_rates.by_source(hit_rates.vector(fresh.knowledge.calibration))[0][2] == pytest.approx(
        4, abs=0.01
    )
    assert warnings == []
