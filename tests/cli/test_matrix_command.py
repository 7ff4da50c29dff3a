"""``trchat matrix`` and hot starts, as a user meets them."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.cli.asking import as_a_process
from tests.storage.recycled.learned import teach_at_random
from tests.tiny_gguf import make
from trchat.catalog.sources import models_dir
from trchat.cli import main
from trchat.model_store import identity_of
from trchat.storage.recycled.files import open_memory, rows_in_store, store_files
from trchat.storage.recycled.records import Totals

QUESTION = "Count from one to ten, twice."


@pytest.fixture
def trchat(here):
    return as_a_process(here)


def ask(trchat, *args):
    done = trchat("ask", "--json", "-t", "0", "-n", "24", *args, QUESTION)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout), done.stderr.decode()


def lines(done):
    assert done.returncode == 0, done.stderr.decode()
    return dict(line.split("\t", 1) for line in done.stdout.decode().splitlines() if line)


def test_the_second_answer_starts_hot_with_the_same_text_and_is_told_of(trchat, tmp_path):
    models_dir().mkdir(parents=True)
    model = make(models_dir() / "tiny.gguf")
    cold, told = ask(trchat, "-m", model)
    assert cold["draft"]["hot_rows"] == 0
    moved = tmp_path / "another name.gguf"
    shutil.copyfile(model, moved)
    hot, said = ask(trchat, "-m", moved)
    assert hot["draft"]["hot_rows"] > 0 and said == told
    assert hot["token_ids"] == cold["token_ids"], "a renamed file keeps its store, and drafts change no text"

    before = [path.read_bytes() for path in store_files()]
    unsaved, _ = ask(trchat, "-m", model, "--no-save")
    assert unsaved["draft"]["hot_rows"] >= hot["draft"]["hot_rows"]
    assert [path.read_bytes() for path in store_files()] == before

    info = lines(trchat("matrix"))
    assert int(info["rows"].split()[0]) >= hot["draft"]["hot_rows"]
    tokens = len(cold["token_ids"]) + len(hot["token_ids"])
    saved = tokens - cold["draft"]["steps"] - hot["draft"]["steps"]
    assert info["saved by auto"].startswith(f"{saved} of {tokens} tokens in 2 answers")
    assert info["hit rate, 1-token rows"].endswith("guesses lately")
    assert info["file"] == str(store_files()[0])
    row = next(each for each in json.loads(trchat("models", "--json").stdout) if each["name"] == "tiny")
    assert row["rows_learned"] == int(info["rows"].split()[0])

    paper, _ = ask(trchat, "-m", model, "--draft", "recycling")
    assert paper["draft"]["hot_rows"] == 0
    paper, _ = ask(trchat, "-m", model, "--draft", "recycling")
    assert paper["draft"]["hot_rows"] > 0
    assert paper["token_ids"] == cold["token_ids"]

    carried = tmp_path / "carried.db"
    exported = trchat("matrix", "export", "-m", "tiny", carried)
    assert exported.returncode == 0
    assert exported.stderr.decode() == f"trchat: what was learned is in {carried}\n"
    assert os.name == "nt" or carried.stat().st_mode & 0o777 == 0o600
    again = trchat("matrix", "export", "-m", "tiny", carried)
    assert again.returncode == 2 and b"exists already" in again.stderr
    rows = lines(trchat("matrix", "info", "-m", moved))["rows"]
    asked = trchat("matrix", "reset", "-m", "tiny")
    assert asked.returncode == 2 and b"--yes" in asked.stderr and store_files()
    as_json = json.loads(trchat("matrix", "info", "--json").stdout)
    assert [each["model"] for each in as_json] == ["Tiny llama"]
    assert sum(as_json[0]["rows"].values()) == int(rows.split()[0])
    assert as_json[0]["totals"]["auto"]["answers"] == 2
    assert trchat("matrix", "reset", "-m", "tiny", "--yes").returncode == 0
    assert b"nothing was learned" in trchat("matrix").stderr
    assert json.loads(trchat("matrix", "info", "--json").stdout) == []
    assert trchat("matrix", "info", "-m", "tiny").returncode == 2
    assert trchat("matrix", "export", "-m", "tiny", tmp_path / "none.db").returncode == 2
    assert b"nothing was learned" in trchat("matrix", "reset", "-m", "tiny", "--yes").stderr
    assert ask(trchat, "-m", model, "--no-save")[0]["draft"]["hot_rows"] == 0
    for _ in range(2):
        assert trchat("matrix", "import", carried).returncode == 0
        info = lines(trchat("matrix", "info", "-m", moved))
        assert info["rows"] == rows
        assert "in 2 answers" in info["saved by auto"], "counted once, however often it is imported"
    assert ask(trchat, "-m", model)[0]["draft"]["hot_rows"] > 0


def test_path_and_what_is_not_there(trchat, home):
    assert trchat("matrix", "path").stdout.decode().strip() == str(home / "recycled")
    info = trchat("matrix", "info", "-m", "smollm2")
    assert info.returncode == 2 and b"nothing was learned" in info.stderr
    missing = trchat("matrix", "import", home / "none.db")
    assert missing.returncode == 2 and b"No such file" in missing.stderr
    assert not (home / "recycled").exists()


def test_reset_asks_at_a_terminal(home, terminal, capsys):
    models_dir().mkdir(parents=True)
    model = make(models_dir() / "tiny.gguf")
    who = identity_of(model)
    memory = open_memory(who, "cpu", pytest.fail)
    teach_at_random(memory.knowledge, np.random.default_rng(0), 4, who.vocabulary)
    memory.save("auto", Totals(1, 10, 5, 8, 5))
    assert memory.close(60)
    for keys in ("n\n", "\n", ""):
        terminal(keys)
        assert main(["matrix", "reset", "-m", "tiny"]) == 0
        asked = capsys.readouterr().err
        assert asked.startswith("Forget what was learned about tiny? [y/N]") and "forgot" not in asked
        assert rows_in_store(who)
    terminal("y\n")
    assert main(["matrix", "reset", "-m", "tiny"]) == 0
    assert "forgot what was learned about tiny\n" in capsys.readouterr().err
    assert rows_in_store(who) is None


def test_two_models_are_told_apart_and_empty_stores_are_not_shown(trchat, tmp_path):
    for name, arch in (("one", "llama"), ("two", "qwen2")):
        models_dir().mkdir(parents=True, exist_ok=True)
        ask(trchat, "-m", make(models_dir() / f"{name}.gguf", arch))
    shown = json.loads(trchat("matrix", "info", "--json").stdout)
    assert sorted(each["name"] for each in shown) == ["one", "two"]
    assert sorted(each["model"] for each in shown) == ["Tiny llama", "Tiny qwen2"]
    text = trchat("matrix").stdout.decode()
    assert "model\tone\ntitle\tTiny llama " in text and "model\ttwo\ntitle\tTiny qwen2 " in text
    assert "\n\n" in text
    assert trchat("matrix", "reset", "-m", "one", "-y").returncode == 0
    (models_dir() / "two.gguf").rename(tmp_path / "two.gguf")
    (left,) = json.loads(trchat("matrix", "info", "--json").stdout)
    assert (left["name"], left["model"]) == (None, "Tiny qwen2"), "a model that has gone elsewhere"
    assert lines(trchat("matrix", "info", "-m", tmp_path / "two.gguf"))["model"] == "two"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + bytes(5000), b"not a store" * 1000])
def test_what_is_no_store_is_not_imported_and_stays_as_it_is(trchat, home, tmp_path, content):
    file = tmp_path / "foreign.db"
    file.write_bytes(content)
    done = trchat("matrix", "import", file)
    error = done.stderr.decode()
    assert done.returncode == 1 and error.count("\n") == 1 and "is not a store" in error
    assert file.read_bytes() == content and [each.name for each in tmp_path.glob("*.db*")] == ["foreign.db"]
    assert not (home / "recycled").exists()
