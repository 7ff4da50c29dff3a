import importlib.util
import json

import pytest

from tests.tiny_gguf import make


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
    assert len(report["results"]) == 4 * 3
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
    assert json.loads(out.read_text())["settings"]["without"] == ["suffix", "calibration"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--draft", "off,magic"], "'magic' is not one of auto, recycling, lookup, off"),
        (["--draft", "off,off"], "a mode is named twice"),
        (["--width", "1"], "--width 1 leaves no room for a draft"),
        (["--without", "luck"], "'luck' is not one of"),
        (["--questions", "none.jsonl"], "cannot read questions"),
        (["--cost-curve", "none.json:x"], "cannot read cost curves"),
        (["--per-category", "0"], "must be a whole number above 0"),
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
