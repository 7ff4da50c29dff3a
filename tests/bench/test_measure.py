"""What is measured has learned nothing but what the plan says."""

import trchat.bench.measure as measuring
from tests.tiny_gguf import make
from trchat.bench.plan import Plan
from trchat.bench.questions import Question
from trchat.bench.variants import variants, with_hot
from trchat.startup import prepare


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
