"""From measurements to the figures of a report, worked out by hand."""

import pytest

from trchat.bench.curves import CostCurve
from trchat.bench.questions import Question
from trchat.bench.report import rows
from trchat.bench.runner import Measurement
from trchat.bench.variants import variants, with_ablation


def measured(number, mode, tokens, seconds, *, category="qa", steps=None, widths=None, host_s=0.0, ids=None):
    steps = steps or tokens
    return Measurement(
        question=Question(str(number), category, ("?",)),
        turns=(),
        turn=0,
        mode=mode,
        token_ids=tuple(ids or range(tokens)),
        steps=steps,
        seconds=seconds,
        host_s=host_s,
        drafted=0,
        accepted=0,
        widths=tuple(widths or [1] * steps),
        parts=(("decode", seconds - host_s), ("learn", host_s)),
    )


@pytest.fixture
def results():
    return [
        measured(1, "off", 10, 1.0),
        measured(1, "auto", 10, 0.5, steps=5, widths=[1, 4, 4, 4, 1], host_s=0.05),
        measured(2, "off", 20, 2.0, category="chat"),
        measured(2, "auto", 20, 2.0, category="chat", steps=10, widths=[4] * 10, ids=[7] * 20),
    ]


def row(found, mode, category):
    return next(row for row in found if (row["draft"], row["category"]) == (mode, category))


def test_one_row_per_mode_and_category_and_all(results):
    found = rows(results, variants(["off", "auto"]))
    assert [(r["draft"], r["category"]) for r in found] == [
        (mode, category) for mode in ("off", "auto") for category in ("qa", "chat", "all")
    ]


def test_figures_by_hand(results):
    found = rows(results, variants(["off", "auto"]))
    all_auto = row(found, "auto", "all")
    assert (all_auto["prompts"], all_auto["tokens"], all_auto["steps"]) == (2, 30, 15)
    assert all_auto["tokens_per_step"] == 2.0
    assert all_auto["tokens_per_s"] == 12.0
    assert all_auto["speedup"] == 1.2  # 30 tokens in 2.5 s against 30 in 3
    assert all_auto["speedup_median"] == 1.5  # of 2.0 and 1.0
    assert all_auto["identical"] == 1
    assert all_auto["host_ms_per_step"] == pytest.approx(3.3333)
    assert all_auto["width_changes"] == 2
    assert row(found, "auto", "qa")["speedup"] == 2.0
    assert row(found, "off", "all")["speedup"] == 1.0
    assert all_auto["modeled_speedup"] is None


def test_modeled_speedup_charges_widths_and_their_changes(results):
    curve = CostCurve("m", {1: 10.0, 4: 20.0}, change_ms=5.0)
    found = rows(results, variants(["auto"]), curve)
    # 10 tokens at 10 ms each against 10 + (20 + 5) + 20 + 20 + (10 + 5)
    assert row(found, "auto", "qa")["modeled_speedup"] == pytest.approx(100 / 90, abs=1e-4)
    assert row(found, "auto", "chat")["modeled_speedup"] == 1.0


def test_without_off_there_is_no_speedup_to_tell(results):
    found = rows([m for m in results if m.mode == "auto"], variants(["auto"]))
    assert row(found, "auto", "all")["speedup"] is None
    assert row(found, "auto", "all")["identical"] == 0


def test_differences_are_told_with_the_margin_at_the_fork_and_times_by_part():
    plain = measured(1, "off", 4, 1.0, ids=(1, 2, 3, 4))
    other = measured(1, "auto", 4, 1.0, steps=2, ids=(1, 2, 9, 4))
    found = rows([plain, other], variants(["off", "auto"]), margins={other: 0.0123456})
    assert row(found, "auto", "all")["fork_margin"] == 0.0123
    assert row(found, "off", "all")["fork_margin"] is None
    parts = row(found, "auto", "all")["ms_per_step"]
    assert sum(parts.values()) == pytest.approx(500)


def test_an_ablation_compares_with_the_whole_auto_and_says_what_was_left_out():
    compared = with_ablation(variants(["auto"]), ["gap", "width"])
    timed = [
        measured(1, "auto", 12, 1.0, steps=6),
        measured(1, "auto without gap", 12, 1.5, steps=8),
        measured(1, "auto without width", 12, 0.8, steps=4),
    ]
    found = [each for each in rows(timed, compared) if each["category"] == "all"]
    assert [(each["draft"], each["without"]) for each in found] == [
        ("auto", []),
        ("auto without gap", ["gap"]),
        ("auto without width", ["width"]),
    ]
    assert [each["against_auto"] for each in found] == [1.0, pytest.approx(1 / 1.5, abs=1e-4), 1.25]
    assert [each["tokens_per_step"] for each in found] == [2.0, 1.5, 3.0]
    assert {each["speedup"] for each in found} == {None}, "plain decoding was not measured"
