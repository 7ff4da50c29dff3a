"""The bar chart: what it shows, and what is said before anything is measured."""

import pytest

from trchat.bench.plot import check, plot
from trchat.errors import TrchatError, UsageError


def report(mode="auto", speedup=1.5, **machine):
    machine = {"processor": "Some CPU", "threads": 8, "on_gpu": False, "devices": [], **machine}
    rows = [
        {"draft": draft, "category": category, "speedup": ratio, "modeled_speedup": None}
        for draft, ratio in (("off", 1.0), (mode, speedup))
        for category in ("chat", "given_text", "all")
    ]
    return {"settings": {"model": "tiny.Q8_0"}, "machine": machine, "results": rows}


def test_other_endings_are_refused_before_anything_is_measured(tmp_path):
    for name in ("plot.gif", "plot"):
        with pytest.raises(UsageError, match=r"writes \.svg, \.png, \.pdf"):
            check(tmp_path / name)


@pytest.mark.slow
def test_bars_show_the_speedups_and_the_same_figures_draw_the_same_file(tmp_path):
    pytest.importorskip("matplotlib")
    check(tmp_path / "a.svg")
    for name in ("a.svg", "b.svg"):
        plot([report(speedup=1.73), report("lookup", 1.21)], tmp_path / name)
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    # Letters are drawn as outlines; matplotlib notes the text beside them.
    assert drawn.count("<!-- 1.73 -->") == drawn.count("<!-- 1.21 -->") == 3, "one bar for each kind"
    assert "<!-- lookup · " in drawn and "<!-- off -->" not in drawn
    assert (tmp_path / "b.svg").read_text("utf-8") == drawn


@pytest.mark.slow
def test_what_was_not_compared_has_no_bar(tmp_path):
    pytest.importorskip("matplotlib")
    plot([report("lookup", None), report("auto", 1.5)], tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    assert drawn.count("<!-- 1.50 -->") == 3
    assert "<!-- 0.00 -->" not in drawn and "<!-- nan -->" not in drawn


@pytest.mark.slow
def test_several_reports_share_one_axis_and_only_the_wanted_mode_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    both = report("lookup", 1.21, threads=2)
    both["results"] += report("auto", 1.73)["results"][3:]
    plot([report("auto", 1.57), both], tmp_path / "a.svg", ["auto"])
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    assert drawn.count("<!-- 1.57 -->") == drawn.count("<!-- 1.73 -->") == 3
    assert "<!-- 1.21 -->" not in drawn
    assert drawn.count("<!-- speedup over plain decoding -->") == 1
    assert "8 threads -->" in drawn and "2 threads -->" in drawn, "which is whose"


@pytest.mark.slow
def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(TrchatError, match=r"cannot write .*nowhere"):
        plot([report()], tmp_path / "nowhere" / "a.svg")
