"""``trchat bench`` as a user runs it."""

import importlib.util
import json
import re

import pytest

from tests.cli.asking import as_a_process
from tests.tiny_gguf import make
from trchat.bench.variants import auto_parts


@pytest.fixture
def trchat(here):
    return as_a_process(here)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make(tmp_path_factory.mktemp("bench") / "tiny.gguf")


@pytest.fixture
def questions(tmp_path):
    file = tmp_path / "q.jsonl"
    lines = [
        {"question_id": n, "category": kind, "turns": ["Say it.", "Again."]}
        for n, kind in enumerate(["qa", "rag"])
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def test_all_modes_side_by_side(trchat, model, questions, tmp_path):
    out = tmp_path / "out.json"
    done = trchat(
        "bench", "-m", model, "--questions", questions, "--max-tokens", "12", "--threads", "1", "--json", out
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    report = json.loads(out.read_text())
    assert report.keys() == {"settings", "machine", "results"}
    assert report["settings"]["interrupted"] is False
    assert len(report["results"]) == 4 * 3
    assert re.fullmatch(r"llama [\d.]+[KM] [A-Z0-9_]+", report["machine"]["architecture"])
    for row in report["results"]:
        assert row["identical"] == row["prompts"]
        assert row["tokens"] == 12 * row["prompts"]
        assert row["speedup"] > 0
        assert row["modeled_speedup"] is None
    table = done.stdout.decode()
    assert all(mode in table for mode in ("off", "lookup", "recycling", "auto"))


def test_all_turns_and_a_fixed_width_and_a_curve(trchat, model, questions, tmp_path):
    curves = tmp_path / "curves.json"
    curves.write_text(json.dumps({"curves": {"flat": {"ms": {"1": 10, "64": 10}}}}))
    out = tmp_path / "out.json"
    common = ["-m", model, "--questions", questions, "--max-tokens", "10", "--threads", "1", "--json", out]
    done = trchat("bench", *common, "--draft", "auto", "--turns", "all", "--cost-curve", f"{curves}:flat")
    assert done.returncode == 0, done.stderr.decode()
    row = json.loads(out.read_text())["results"][-1]
    assert (row["prompts"], row["category"]) == (4, "all")
    assert row["modeled_speedup"] == pytest.approx(row["tokens_per_step"], abs=0.01)
    assert "modeled: flat" in done.stdout.decode()

    done = trchat("bench", *common, "--draft", "off,auto", "--width", "4", "--without", "suffix,calibration")
    rows = json.loads(out.read_text())["results"]
    assert rows[-1]["mean_width"] <= 4 + 3  # the tree and the forced tokens
    assert json.loads(out.read_text())["settings"]["without"] == ["calibration", "suffix"]


def test_an_ablation_is_one_table_with_each_part_left_out_in_turn(trchat, model, questions, tmp_path):
    out = tmp_path / "out.json"
    common = ["-m", model, "--questions", questions, "--max-tokens", "48", "--threads", "1", "--json", out]
    done = trchat("bench", *common, "--ablation", "--draft", "off,auto", "--width", "8")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    report = json.loads(out.read_text())
    parts = [*auto_parts()]
    parts.remove("width")  # it is fixed
    every = {row["draft"]: row for row in report["results"] if row["category"] == "all"}
    assert list(every) == ["off", "auto", *(f"auto without {part}" for part in parts)]
    assert all(row["identical"] == row["prompts"] == 2 for row in every.values())
    left_out = [row for row in every.values() if row["without"]]
    assert len({(row["steps"], row["drafted"]) for row in left_out}) > 1, (
        "it does not matter what is left out"
    )
    assert every["auto"]["against_auto"] == 1.0 and every["auto"]["without"] == []
    conditions, table = done.stdout.decode().split("\ndraft ", 1)
    assert "48 tokens each" in conditions
    heading, *rows = table.rstrip().splitlines()
    assert heading.split("  ")[-1].strip() == "identical" and "against auto" in heading
    assert [re.split(r"\s{2,}", line)[0] for line in rows] == list(every)
    shown = re.split(r"\s{2,}", rows[1].rstrip())
    whole = every["auto"]
    assert shown[1:4] == ["2", f"{whole['tokens_per_step']:.3f}", str(whole["steps"])]

    done = trchat("bench", *common, "--ablation", "--per-category", "1")
    assert done.returncode == 0, done.stderr.decode()
    drafts = dict.fromkeys(row["draft"] for row in json.loads(out.read_text())["results"])
    assert list(drafts) == ["auto", *(f"auto without {part}" for part in auto_parts())]
    assert "identical" not in done.stdout.decode(), "plain decoding was not measured"


def test_questions_behind_a_long_conversation(trchat, model, questions, tmp_path):
    out = tmp_path / "out.json"
    common = ["-m", model, "--questions", questions, "--max-tokens", "8", "--threads", "1", "--json", out]
    done = trchat("bench", *common, "--draft", "off,auto", "--depth", "300")
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(out.read_text())
    depth = report["settings"]["depth"]
    assert depth >= 300 and f"behind a conversation of {depth} tokens" in done.stdout.decode()
    assert all(row["identical"] == row["prompts"] for row in report["results"])

    done = trchat("bench", *common, "--draft", "auto", "--depth", "300", "--ctx", "256")
    assert done.returncode == 2
    assert b"these questions at --depth 300 need a larger context: --ctx " in done.stderr


def test_cold_beside_hot(trchat, model, questions, tmp_path):
    warm, out = tmp_path / "warm.jsonl", tmp_path / "out.json"
    warm.write_text(json.dumps({"question_id": "w", "category": "qa", "turns": ["Say it.", "Again."]}))
    common = ["-m", model, "--questions", questions, "--max-tokens", "40", "--threads", "1", "--json", out]
    done = trchat("bench", *common, "--draft", "off,auto,recycling", "--width", "8", "--warm", warm)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(out.read_text())
    every = {row["draft"]: row for row in report["results"] if row["category"] == "all"}
    assert list(every) == ["off", "auto", "auto-hot", "recycling", "recycling-hot"]
    assert all(row["identical"] == row["prompts"] == 2 for row in every.values())
    # The question that warmed is one of those measured, so what it taught must show.
    assert every["auto-hot"]["tokens_per_step"] > every["auto"]["tokens_per_step"]
    assert every["recycling-hot"]["tokens_per_step"] > every["recycling"]["tokens_per_step"]
    told = report["settings"]["warm"]
    assert told["questions"] == "warm.jsonl" and told["asked"] == 1
    assert told["rows"].keys() == {"auto-hot", "recycling-hot"} and min(told["rows"].values()) > 10
    assert "after 1 question (warm.jsonl)" in done.stdout.decode()


def test_each_question_in_a_session_of_its_own(trchat, model, questions, tmp_path):
    # The two questions are the same, so in one session the first answers help with the second.
    warm, out = tmp_path / "warm.jsonl", tmp_path / "out.json"
    warm.write_text(json.dumps({"question_id": "w", "category": "qa", "turns": ["Say it.", "Again."]}))
    common = ["-m", model, "--questions", questions, "--max-tokens", "40", "--threads", "1", "--json", out]
    common += ["--draft", "off,auto,recycling", "--width", "8", "--warm", warm]
    steps = {}
    for flags in [], ["--anew"]:
        done = trchat("bench", *common, *flags)
        assert done.returncode == 0, done.stderr.decode()
        report = json.loads(out.read_text())
        assert report["settings"]["anew"] == bool(flags)
        assert ("each question in a session of its own" in done.stdout.decode()) == bool(flags)
        assert all(row["identical"] == row["prompts"] for row in report["results"])
        for row in report["results"]:
            steps.setdefault((row["draft"], row["category"]), []).append(row["steps"])
    for draft in "auto", "recycling":
        in_turn, anew = zip(*(steps[draft, category] for category in ("qa", "rag")), strict=True)
        assert in_turn[0] == anew[0]  # nothing goes before the first
        assert in_turn[1] < in_turn[0] and anew[1] == anew[0]
        # Each starts from the same rows, so the same question takes the same steps; fewer than cold.
        hot = [steps[f"{draft}-hot", category][1] for category in ("qa", "rag")]
        assert hot[0] == hot[1] < anew[0]


def test_only_pairs_are_measured(trchat, model, questions, tmp_path):
    warm, out = tmp_path / "warm.jsonl", tmp_path / "out.json"
    warm.write_text(json.dumps({"question_id": "w", "category": "qa", "turns": ["Say."], "related_to": 1}))
    common = ["-m", model, "--questions", questions, "--max-tokens", "4", "--threads", "1", "--json", out]
    done = trchat("bench", *common, "--draft", "auto", "--warm", warm)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(out.read_text())["results"][0]["category"] == "rag"

    warm.write_text(warm.read_text().replace("1}", "9}"))
    done = trchat("bench", *common, "--draft", "auto", "--warm", warm)
    assert done.returncode == 2
    assert b"is related to none of the questions to measure" in done.stderr


@pytest.mark.parametrize("answers", [1, 3, 4])
def test_what_all_modes_have_answered_is_reported_after_an_interrupt(
    here, model, questions, tmp_path, monkeypatch, answers
):
    # ctrl+c, at a place that is always the same.
    monkeypatch.setattr("trchat.cli.bench.bar", lambda done, total: done == answers and interrupt())
    out = tmp_path / "out.json"
    common = ["-m", model, "--questions", questions, "--max-tokens", "4", "--threads", "1", "--json", out]
    code, table, said = here("bench", *common, "--draft", "off,auto")
    assert code == 130
    if answers == 1:
        assert (table, said, out.exists()) == ("", "", False), "no question was answered by both"
        return
    assert said == "trchat: interrupted: these are the questions that every mode has answered\n"
    report = json.loads(out.read_text())
    assert report["settings"]["interrupted"] is True
    every = {(row["draft"], row["category"]): row["prompts"] for row in report["results"]}
    kinds = ["qa", "rag"][: answers // 2]
    assert every == {
        (mode, kind): len(kinds) if kind == "all" else 1
        for mode in ("off", "auto")
        for kind in (*kinds, "all")
    }
    assert re.search(rf"auto +{'all' if answers == 4 else 'qa'} ", table)


def interrupt():
    raise KeyboardInterrupt  # not the signal itself: a test run in the background ignores that, or ends by it


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--draft", "off,magic"], "'magic' is not one of auto, recycling, lookup, off"),
        (["--draft", "off,off"], "a mode is named twice"),
        (["--width", "1"], "--width 1 leaves no room for a draft"),
        (["--width", "65"], "--width is at most 64, the widest that auto drafts; not 65"),
        (["--without", "luck"], "'luck' is not one of"),
        (["--without", "gap", "--ablation"], "not allowed with argument"),
        (["--ablation", "--draft", "off,lookup"], "which --draft does not name"),
        (["--depth", "0"], "must be a whole number from 1"),
        (["--questions", "none.jsonl"], "cannot read questions"),
        (["--warm", "none.jsonl"], "cannot read questions"),
        (
            ["--warm", "general", "--draft", "off,lookup"],
            "--warm needs a mode that learns: auto or recycling",
        ),
        (["--warm", "general", "--hot"], "not allowed with argument"),
        (["--plot", "p.svg", "--draft", "lookup,auto"], "add off to --draft"),
        (["--plot", "p.svg", "--ablation"], "add off to --draft"),
        (["--json", "none/out.json"], "cannot write none/out.json: there is no folder none"),
        (["--cost-curve", "none.json:x"], "cannot read cost curves"),
        (["--per-category", "0"], "must be a whole number from 1 to 2147483647"),
    ],
)
def test_bad_input_is_one_line(trchat, args, message):
    done = trchat("bench", *args)
    assert done.returncode == 2
    assert message in done.stderr.decode().splitlines()[-1]


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is not None, reason="matplotlib is installed")
def test_a_plot_without_matplotlib_says_what_to_install(trchat, model, questions, tmp_path):
    args = ["-m", model, "--questions", questions, "--max-tokens", "2", "--draft", "off", "--threads", "1"]
    done = trchat("bench", *args, "--plot", tmp_path / "p.svg")
    assert done.returncode == 1
    assert b"pip install 'trchat[plot]'" in done.stderr
