"""What an engine learns is kept at the end of each answer; whoever runs it is told where it starts from."""

from dataclasses import replace

import pytest

from tests.tiny_gguf import make
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import settle
from trchat.errors import ModelError
from trchat.storage.recycled import hit_rates
from trchat.storage.recycled.files import recycled_dir, store_files
from trchat.storage.recycled.store import RecycledStore

SETTINGS = settle({"temp": 0.0, "threads": 1, "ctx": 512})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make(tmp_path_factory.mktemp("remembering") / "tiny.gguf")


@pytest.fixture
def told():
    return []


def answer(engine, question="Say it.", tokens=20):
    said = new_answer(0)
    for _ in engine.answer([Turn("user", question)], sampling_of(SETTINGS, 0), tokens, said):
        pass
    return said


def stored():
    (path,) = store_files()
    store = RecycledStore(path, None, pytest.fail)
    try:
        return store.load(), store.totals()
    finally:
        store.close()


def test_a_single_short_answer_leaves_all_its_labels(model, told):
    """Fewer than the drafter gathers before it counts them."""
    with open_engine(model, SETTINGS, tell=told.append) as engine:
        answer(engine, tokens=12)
        memory = engine.on_answer_end.__self__._memory
        live = hit_rates.vector(memory.knowledge.calibration).copy()
        assert not (live == hit_rates.nothing_learned()).all()
    loaded, totals = stored()
    assert (loaded.calibration == live).all()
    assert totals["auto"].answers == 1 and totals["auto"].tokens == 12
    assert told == []


def test_what_came_free_is_known_at_once_and_to_the_next_session(model):
    settings = replace(SETTINGS, draft="recycling")
    with open_engine(model, settings) as engine:
        assert engine.came_free() == 0
        counts = answer(engine, tokens=60).statistics
        saved = counts.tokens - counts.steps
        assert engine.came_free() == saved > 0
    with open_engine(model, settings) as engine:
        assert engine.came_free() == saved


def test_an_answer_that_was_left_is_kept_as_well(model):
    with open_engine(model, SETTINGS) as engine:
        events = engine.answer([Turn("user", "Say it.")], sampling_of(SETTINGS, 0), 60, new_answer(0))
        while engine.drafter.rows_learned < 5:
            next(events)
        events.close()
    loaded, totals = stored()
    assert sum(map(len, loaded.rows.values())) >= 5 and totals["auto"].answers == 1


def test_nothing_is_kept_where_nothing_may_be(model, told):
    with open_engine(model, SETTINGS, tell=told.append, remember=Remember(write=False)) as engine:
        answer(engine)
    assert not recycled_dir().exists() and told == []


def test_another_quantisation_starts_from_its_sibling_and_says_so(model, told, tmp_path):
    with open_engine(model, SETTINGS, tell=told.append) as engine:
        answer(engine)
        learned = engine.drafter.rows_learned
    # The same name, size and vocabulary, and other weights: to the store, another quantisation.
    sibling = make(tmp_path / "sibling.gguf", seed=1)
    with open_engine(sibling, SETTINGS, tell=told.append) as engine:
        assert engine.drafter.rows_learned == learned
        assert len(told) == 1 and told[0].startswith(f"starting from {learned} rows")
        answer(engine)
    assert len(store_files()) == 2


def test_a_model_that_the_catalogue_cannot_read_answers_and_it_is_said_that_nothing_is_kept(
    model, told, monkeypatch
):
    def unknown(path):
        raise ModelError(f"{path.name} is of an unknown kind")

    monkeypatch.setattr("trchat.chat.remembering.identity_of", unknown)
    with open_engine(model, SETTINGS, tell=told.append) as engine:
        assert answer(engine).finish == "length"
    assert told == ["nothing learned before can be used, nor be saved: tiny.gguf is of an unknown kind"]
    assert store_files() == []


def test_trouble_with_the_disk_is_told_once_and_answers_go_on(model, told):
    recycled_dir().parent.mkdir(parents=True)
    recycled_dir().write_text("a file where the folder should be")
    with open_engine(model, SETTINGS, tell=told.append) as engine:
        first, second = answer(engine), answer(engine)
    assert first.token_ids == second.token_ids and first.finish == "length"
    assert len(told) == 1 and "\n" not in told[0] and "going on in memory" in told[0]
