"""What is measured has learned nothing but what the plan says."""

import pytest

import trchat.bench.measure as measuring
from tests.tiny_gguf import make
from trchat.bench.plan import Plan
from trchat.bench.questions import Question
from trchat.bench.variants import variants, with_hot
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import sampling_of
from trchat.chat.template import Turn
from trchat.config import settle
from trchat.startup import prepare


@pytest.mark.slow
def test_what_is_run_in_is_not_measured(tmp_path, monkeypatch):
    run, run_in = measuring.run, measuring.run_in
    taught, measured = [], []

    def watched_run_in(engine, drafters, sampling):
        taught.extend(drafters)
        run_in(engine, taught, sampling)

    def watched_run(engine, make, *args, **kwargs):
        def made(name):
            measured.append(make(name))
            return measured[-1]

        return run(engine, made, *args, **kwargs)

    monkeypatch.setattr(measuring, "run_in", watched_run_in)
    monkeypatch.setattr(measuring, "run", watched_run)
    one, other = Question("1", "qa", ("Say it.",)), Question("2", "qa", ("Say that.",))
    plan = Plan(with_hot(variants(["off", "auto"])), [one], max_tokens=8, warm=[other], warmed_by="other")
    prepared = prepare({"model": str(make(tmp_path / "tiny.gguf")), "threads": 1, "temp": 0.0})
    report = measuring.measure(plan, prepared, lambda done: None, lambda line: None)
    assert report["settings"]["warm"]["rows"]["auto-hot"] > 0
    assert [drafter.mode for drafter in taught] == ["off", "auto"]
    assert [drafter.mode for drafter in measured] == ["off", "auto", "auto"]
    assert not {*map(id, taught)} & {*map(id, measured)}


@pytest.mark.slow
def test_what_was_learned_so_far_is_read_once_and_each_question_starts_from_it(tmp_path, monkeypatch):
    """From another quantisation's store, which is told."""
    settings = settle({"temp": 0.0, "threads": 1, "ctx": 512})
    with open_engine(make(tmp_path / "one.gguf"), settings) as engine:
        for _ in engine.answer([Turn("user", "Say it.")], sampling_of(settings, 0), 120, new_answer(0)):
            pass
    questions = [Question(number, "qa", ("Say it.",)) for number in ("1", "2")]
    flags = {"model": str(make(tmp_path / "other.gguf", seed=1)), "threads": 1, "temp": 0.0}
    drafter_for, known, told = measuring.drafter_for, [], []

    def watched(*args, **more):
        drafter = drafter_for(*args, **more)
        known.append(drafter.rows_learned)
        return drafter

    monkeypatch.setattr(measuring, "drafter_for", watched)
    for hot in False, True:
        plan = Plan(variants(["auto"]), questions, max_tokens=8, width=8, hot=hot, anew=True)
        measuring.measure(plan, prepare(flags), lambda done: None, told.append)
    assert len(told) == 1 and told[0].startswith("starting from ")
    cold, hot = known[: len(known) // 2], known[len(known) // 2 :]
    assert len(cold) > len(questions) and not any(cold)
    assert min(hot) == max(hot) > 0
