"""The figures of README and docs: written from measurements by assets/results_table.py, never by hand."""

import pytest

from assets.results_table import (
    README,
    RESULTS,
    by_kind,
    headline,
    overview,
    peers,
    read_results,
    replaced,
    summary,
    updated,
)


def row(draft, category, speedup, *, per_step=1.0, prompts=7, identical=7):
    return {
        "draft": draft,
        "category": category,
        "prompts": prompts,
        "tokens_per_step": per_step,
        "tokens_per_s": 40 * (speedup or 0),
        "speedup": speedup,
        "speedup_median": speedup,
        "speedup_q1": speedup,
        "speedup_q3": speedup,
        "identical": identical,
    }


def report(auto, *, on_gpu=False, hot=None, identical=7):
    rows = [row("off", kind, 1.0) for kind in ("chat", "code_edit", "all")]
    rows += [row("auto", "chat", auto - 0.1), row("auto", "code_edit", auto + 0.1)]
    rows += [row("auto", "all", auto, per_step=1.6, identical=identical)]
    if hot:
        rows += [row("auto-hot", "all", hot, per_step=2.0)]
    return {
        "settings": {"model": "m.Q8_0", "max_tokens": 96, "temperature": 0.0, "questions": 7},
        "machine": {
            "architecture": "llama 5.4B Q8_0",
            "processor": "Some CPU",
            "threads": 8,
            "on_gpu": on_gpu,
            "devices": ["CUDA0: Some GPU"],
            "llama_cpp_python": "0.3.36",
        },
        "results": rows,
    }


def test_the_first_screen_tells_every_machine_and_where_it_does_not_help():
    told = headline([report(1.25), report(0.9, on_gpu=True)])
    assert "1.25x (m.Q8_0 · Some CPU, 8 threads), 0.90x (m.Q8_0 · Some GPU), against" in told
    assert "7 questions of 2 kinds" in told
    assert "it is 1.35x for code edit, and 1.15x for chat" in told


def test_the_small_table_has_a_row_for_each_machine():
    rows = summary([report(1.25, identical=6), report(0.9, on_gpu=True)]).splitlines()[2:]
    figures = [
        ["m.Q8_0 · Some CPU, 8 threads", "40.0 tokens/s", "1.25x", "1.35x for code edit", "1.15x for chat"],
        ["m.Q8_0 · Some GPU", "40.0 tokens/s", "0.90x", "1.00x for code edit", "0.80x for chat"],
    ]
    assert [row.strip("| ").split(" | ") for row in rows] == [
        [*figures[0], "6 of 7"],
        [*figures[1], "7 of 7"],
    ]


def test_tables_have_every_mode_and_every_kind():
    table = overview([report(1.25, hot=1.4)])
    assert "plain decoding 40.0 tokens/s" in table
    assert "| `auto` | 50.0 | 1.25x | 1.25 (1.25 to 1.25) | 1.60 | 7 of 7 |" in table
    assert "| `auto-hot` |" in table
    assert (
        by_kind([report(1.25), report(1.5, on_gpu=True)]).splitlines()[3] == "| code edit | 1.35x | 1.60x |"
    )


def test_other_programs_stand_beside_their_own_plain_decoding():
    measured = report(1.25)
    measured["programs"] = [
        {
            "program": "other",
            "draft": "none",
            "tokens_per_s": 40.0,
            "speedup": None,
            "against_plain_trchat": 0.8,
        },
        {
            "program": "other",
            "draft": "lookup",
            "tokens_per_s": 20.0,
            "speedup": 0.5,
            "against_plain_trchat": 0.4,
        },
    ]
    assert peers(measured).splitlines()[-2:] == [
        "| other | none | 40.0 | - | 0.80x |",
        "| other | lookup | 20.0 | 0.50x | 0.40x |",
    ]


def test_only_what_stands_between_the_markers_changes():
    text = "before\n<!-- begin: a -->\nold\n<!-- end: a -->\nafter\n"
    assert replaced(text, "a", "new") == text.replace("old", "new")
    with pytest.raises(ValueError, match="no markers called b"):
        replaced(text, "b", "new")


@pytest.mark.parametrize("path", [README, RESULTS])
def test_the_figures_that_are_told_were_measured(path):
    text = path.read_text(encoding="utf-8")
    assert "<!-- begin: " in text
    assert updated(text, read_results()) == text, "run python assets/results_table.py"
