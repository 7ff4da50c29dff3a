"""README and docs keep their word: their commands run, links lead somewhere, the map shows the house."""

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
READ_IN_ORDER = ["README.md", "docs/scripts.md", "docs/results.md", "CONTRIBUTING.md"]
"""Those with commands to try, in the order in which they are tried."""
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
}
README = PAGES["README.md"]
PACKAGE = Path(trchat.__file__).parent

NOT_RUN_HERE = {
    "git clone": "where from, this folder cannot know",
    "python3 -m venv .venv && .venv/bin/pip install '.[demo,hub]'": "installs: .ci/run does it",
    "pipx install": "installs",
    "uv tool install": "installs",
    "python3 -m venv .venv && .venv/bin/pip install '.[demo,test]'": "these very tests: .ci/run does it",
    "python3 .ci/set_up.py": "installs: .ci/run does it",
    ".venv/bin/trchat models get Qwen/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M": "downloads",
}
"""How a command begins, and why it is not run here."""


def commands():
    """Every line of every block of shell commands."""
    told = "\n".join(PAGES[name] for name in READ_IN_ORDER)
    blocks = re.findall(r"^```sh\n(.*?)^```$", told, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def exception(command):
    return next((begin for begin in NOT_RUN_HERE if command.startswith(begin)), None)


@pytest.fixture
def place(tmp_path):
    """A folder with what the README's commands speak of: texts, a changed checkout, a model, trchat."""
    folder = tmp_path / "place"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    program = programs / "trchat"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trchat "$@"\n')
    program.chmod(0o755)
    (folder / "notes.txt").write_text("Bread needs flour, water, salt and yeast.\n")
    (folder / "plan.md").write_text("# Plan\n\n1. Buy flour.\n2. Bake on Sunday.\n")
    (folder / "style.txt").write_text("Answer in one sentence.\n")
    (folder / "person.json").write_text('{"type": "object", "properties": {"name": {"type": "string"}}}\n')
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
    measured = {"TRCHAT_MODEL": str(make(place.parent / "tiny.gguf")), "TRCHAT_MAX_TOKENS": "4"}
    environment = {
        **os.environ,
        "PATH": f"{place / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TRCHAT_MAX_TOKENS": "40",  # enough for the answer that must fit a schema
        "TRCHAT_SEED": "1",
    }
    ran = []
    for command in commands():
        if exception(command) or (command in ran and command.startswith("trchat bench")):
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
        assert done.stdout or ">" in command or command.split()[1] in ("models", "matrix", "config"), (
            f"{command} says nothing"
        )
        ran.append(command)
    assert len(ran) > 15
    assert {"count.sh", "person.json", "sky.json", "smollm2.db", "result.json"} <= {
        path.name for path in place.iterdir()
    }


def test_what_is_not_run_is_still_there():
    for begin in NOT_RUN_HERE:
        assert any(command.startswith(begin) for command in commands()), f"no page has {begin} any more"


def test_the_readme_is_read_to_its_end():
    assert len(README.split()) < 2000


@pytest.mark.parametrize("name", PAGES)
def test_links_and_pictures_lead_somewhere(name):
    page, folder = PAGES[name], (ROOT / name).parent
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page) + re.findall(r'src(?:set)?="([^"]+)"', page)
    assert [link for link in links if "://" not in link and not (folder / link).exists()] == []
    headings = {
        re.sub(r"[^a-z -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


@pytest.mark.parametrize("name", PAGES)
def test_files_that_are_named_are_there(name):
    named = re.findall(r"`((?:tests|assets|\.ci|docs|trchat)/[\w./-]+)`", PAGES[name])
    assert [each for each in named if not (ROOT / each).exists()] == []
    rooms = re.findall(
        r"`((?:tui|session|chat|decoding|llama|recycling|storage|serve)/[\w./]*)`", PAGES[name]
    )
    assert [each for each in rooms if not (PACKAGE / each).exists()] == []


def test_the_map_shows_every_room():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    block = PAGES["CONTRIBUTING.md"].split("```text\ntrchat/\n", 1)[1].split("```", 1)[0]
    assert set(re.findall(r"^  (\w+)/", block, re.MULTILINE)) == rooms


def test_the_drafter_that_is_shown_drafts_and_changes_no_text():
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGES["docs/drafters.md"], re.MULTILINE | re.DOTALL)
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
    block = re.search(
        r"One object and nothing else:\n\n```text\n(.*?)```", PAGES["docs/scripts.md"], re.DOTALL
    )
    assert block is not None
    shown = re.findall(r'"(\w+)":', block[1])
    printed = report(new_answer(1), "m", "m.gguf", "auto", 0, 0.0)
    parts = [*printed, *printed["draft"], *printed["timings"]]
    assert sorted(shown) == sorted(parts)
