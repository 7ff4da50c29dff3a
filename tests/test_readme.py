"""The README keeps its word: its commands run, its links lead somewhere, its map shows the house."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trchat
from tests.decoding.scripted import ScriptedContext, plain_greedy
from tests.tiny_gguf import make
from trchat.chat.records import new_answer
from trchat.cli.report import report
from trchat.decoding.kv_cache import KVCache
from trchat.decoding.loop import generate
from trchat.recycling.drafter import Drafter

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = Path(trchat.__file__).parent

NOT_RUN_HERE = {
    "python3 -m venv .venv && .venv/bin/pip install '.[demo]'": "installs: .ci/run does it",
    "python3 -m venv .venv && .venv/bin/pip install '.[demo,test]'": "these very tests: .ci/run does it",
    "python3 .ci/set_up.py": "installs: .ci/run does it",
    "trchat models get Qwen/Qwen3-0.6B-GGUF:Q8_0": "downloads: see tests/catalog/test_download.py",
}
"""How a command of the README begins, and why it is not run here."""


def commands():
    """Every line of every block of shell commands."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def exception(command):
    return next((begin for begin in NOT_RUN_HERE if command.startswith(begin)), None)


@pytest.fixture
def place(tmp_path, demo_model):
    """A folder with what the README's commands speak of: texts, a changed checkout, a model, trchat."""
    folder = tmp_path / "place"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    program = programs / "trchat"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trchat "$@"\n')
    program.chmod(0o755)
    (folder / "notes.txt").write_text("Bread needs flour, water, salt and yeast.\n")
    (folder / "plan.md").write_text("# Plan\n\n1. Buy flour.\n2. Bake on Sunday.\n")
    (folder / "path" / "to").mkdir(parents=True)
    (folder / "path" / "to" / "model.gguf").symlink_to(demo_model)
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "notes.txt"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "notes"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "notes.txt").write_text("Bread needs flour, water, salt, yeast and time.\n")
    return folder


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(sys.platform == "win32", reason="the README's commands are written for a POSIX shell")
@pytest.mark.skipif(shutil.which("git") is None, reason="one of the commands reads from git")
def test_every_command_runs_in_the_order_it_is_told(place):
    """Like a reader who tries all of it in one sitting, in one home; only the answers are cut short.

    What takes minutes with a real model is measured with a tiny one.
    """
    measured = {"TRCHAT_MODEL": str(make(place.parent / "tiny.gguf")), "TRCHAT_MAX_TOKENS": "8"}
    environment = {
        **os.environ,
        "PATH": f"{place / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TRCHAT_MAX_TOKENS": "40",  # enough for the answer that must fit a schema
        "TRCHAT_SEED": "1",
    }
    ran = []
    for command in commands():
        if exception(command):
            continue
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=place,
            env={**environment, **(measured if command.startswith("trchat bench") else {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.stdout or ">" in command or command.split()[1] in ("models", "matrix"), (
            f"{command} says nothing"
        )
        ran.append(command)
    assert len(ran) > 15
    assert {"count.sh", "person.json", "sky.json", "smollm2.db", "result.json"} <= {
        path.name for path in place.iterdir()
    }


def test_what_is_not_run_is_still_there():
    for begin in NOT_RUN_HERE:
        assert any(command.startswith(begin) for command in commands()), f"the README has no {begin} any more"


def test_links_and_pictures_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r'src(?:set)?="([^"]+)"', README)
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert links and missing == []
    headings = {
        re.sub(r"[^a-z -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", README, re.M)
    }
    anchors = re.findall(r"\]\(#([^)]+)\)", README)
    assert anchors and set(anchors) <= headings


def test_files_that_are_named_are_there():
    named = re.findall(r"`((?:tests|assets|\.ci)/[\w./-]+)`", README)
    assert named and [name for name in named if not (ROOT / name).exists()] == []
    rooms = re.findall(r"`((?:tui|session|chat|decoding|llama|recycling|storage)/[\w./]*)`", README)
    assert rooms and [name for name in rooms if not (PACKAGE / name).exists()] == []


def test_the_map_shows_every_room():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    block = README.split("```text\ntrchat/\n", 1)[1].split("```", 1)[0]
    assert set(re.findall(r"^  (\w+)/", block, re.MULTILINE)) == rooms


def test_the_drafter_that_is_shown_drafts_and_changes_no_text():
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    names = {}
    exec(code, names)
    drafter: Drafter = names["EchoDrafter"](distance=3)
    prompt = [5, 6, 7] * 4
    cache = KVCache(ScriptedContext())
    list(cache.prefill(prompt[:-1]))
    steps = list(generate(cache, drafter, lambda _row, logits: int(logits.argmax()), prompt, max_tokens=60))
    assert [token for step in steps for token in step.tokens] == plain_greedy(prompt, 60)
    assert sum(step.accepted for step in steps) > 0


def test_the_json_that_is_shown_has_the_fields_that_ask_prints():
    block = re.search(r"One object and nothing else:\n\n```text\n(.*?)```", README, re.DOTALL)
    assert block is not None
    shown = re.findall(r'"(\w+)":', block[1])
    printed = report(new_answer(1), "m", "m.gguf", "auto", 0, 0.0)
    parts = [*printed, *printed["draft"], *printed["timings"]]
    assert sorted(shown) == sorted(parts)
