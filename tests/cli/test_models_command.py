"""``trchat models`` and its actions as a user runs them."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gguf_files import write_gguf, write_hub, write_ollama
from trchat.catalog.gguf_header import read_header
from trchat.catalog.resolve import HOW_TO_CHOOSE, HOW_TO_GET_ONE
from trchat.catalog.sources import hub_cache_dir, models_dir
from trchat.model_store import identity_of
from trchat.storage.recycled.files import store_file

HEADER = "NAME\tARCH\tPARAMS\tQUANT\tSIZE\tCONTEXT\tTEMPLATE\tROWS\n"


def outcome(process):
    return process.returncode, process.stdout, process.stderr


@pytest.fixture
def some(nothing_elsewhere):
    return {
        "own": write_gguf(models_dir() / "own.gguf"),
        "hub": write_hub(hub_cache_dir(), "org/Repo", "hub.gguf", arch="qwen3", template=None, name="Hub"),
        "ollama": write_ollama(Path.home() / ".ollama" / "models", "gemma3", "1b", name="Gemma"),
    }


def test_list_behind_a_pipe(program, some):
    expected = (
        HEADER
        + "gemma3:1b\tllama\t1.1K\tF16\t3.1 kB\t2048\tyes\t-\n"
        + "org/Repo/hub\tqwen3\t1.1K\tF16\t3.0 kB\t2048\tno\t-\n"
        + "own\tllama\t1.1K\tF16\t3.1 kB\t2048\tyes\t-\n"
    )
    assert outcome(program("models")) == (0, expected, "")
    assert outcome(program("models", "list")) == (0, expected, "")


def test_list_on_a_terminal_and_without_colour(on_terminal, some):
    drawn = on_terminal("models", env={"NO_COLOR": "1"})
    assert [line.rstrip() for line in drawn.splitlines()] == [
        "NAME          ARCH   PARAMS  QUANT    SIZE  CONTEXT  TEMPLATE  ROWS",
        "gemma3:1b     llama    1.1K  F16    3.1 kB     2048  yes          -",
        "org/Repo/hub  qwen3    1.1K  F16    3.0 kB     2048  no           -",
        "own           llama    1.1K  F16    3.1 kB     2048  yes          -",
    ]
    assert "\x1b[1m" in on_terminal("models", env={"NO_COLOR": ""})


def test_hostile_names_do_not_reach_the_terminal(program, on_terminal):
    path = write_gguf(models_dir() / "evil.gguf", arch="\x1b]0;owned\x07", name="\x1b[2Jgone\n\tx")
    assert "\x1b]" not in on_terminal("models", env={"NO_COLOR": "1"})
    size = f"{path.stat().st_size / 1000:.1f} kB"
    assert program("models").stdout == HEADER + f"evil\t␛]0;owned␇\t1.1K\tF16\t{size}\t2048\tyes\t-\n"
    info = program("models", "info", "evil").stdout
    assert "title\t␛[2Jgone␊␉x\n" in info


def test_list_as_json(program, some):
    code, out, err = outcome(program("models", "--json"))
    assert (code, err) == (0, "")
    listed = json.loads(out)
    assert [each["name"] for each in listed] == ["gemma3:1b", "org/Repo/hub", "own"]
    assert listed[1] == {
        "name": "org/Repo/hub",
        "path": str(some["hub"]),
        "source": "huggingface",
        "title": "Hub",
        "architecture": "qwen3",
        "parameters": 1088,
        "quantisation": "F16",
        "size": some["hub"].stat().st_size,
        "parts": 1,
        "context": 2048,
        "chat_template": False,
        "rows_learned": None,
    }
    assert json.loads(program("models", "list", "--json").stdout) == listed


def test_damage_to_what_was_learned_is_told(here, some):
    store = store_file(identity_of(some["own"]))
    store.parent.mkdir(parents=True)
    store.write_bytes(b"no database " * 1000)
    code, out, err = here("models")
    assert code == 0 and "own\tllama" in out
    assert err.startswith(f"trchat: warning: {store} is damaged; it was renamed to ") and err.count("\n") == 1


def test_no_models_says_how_to_get_one(program):
    assert outcome(program("models")) == (0, "", f"trchat: no models found: {HOW_TO_GET_ONE}\n")
    assert outcome(program("models", "--json")) == (0, "[]\n", "")


def test_300_broken_files_give_a_line_each(program):
    whole = write_gguf(models_dir() / "whole.gguf")
    content = whole.read_bytes()
    header_size = read_header(whole).data_start
    rng = random.Random(6)
    for number in range(300):
        changed = bytearray(content)
        where = rng.randrange(header_size)
        changed[where : where + 8] = rng.randbytes(8)
        (models_dir() / f"broken{number:03}.gguf").write_bytes(
            changed[: rng.choice((where + 8, len(content)))]
        )
    code, out, err = outcome(program("models"))
    assert code == 0
    lines = err.splitlines()
    assert all(line.startswith(f"trchat: left out: {models_dir()}") for line in lines)
    assert len(lines) > 150
    listed = out.splitlines()
    assert all(line.count("\t") == 7 for line in listed)
    assert any(line.startswith("whole\t") for line in listed)
    named = {line.split("/broken" if "/broken" in line else "\\broken")[1][:3] for line in lines}
    assert len(named) == len(lines), "one line each"
    assert not named & {line[6:9] for line in listed if line.startswith("broken")}


def test_info(program, some):
    size = some["own"].stat().st_size
    need = "3.2"  # weights, cells and what computing takes: tests/catalog tells how much of each
    assert outcome(program("models", "info", "own")) == (
        0,
        "name\town\ntitle\tTiny\n"
        f"path\t{some['own']}\nsource\town\narchitecture\tllama\nparameters\t1.1K (1088)\nquantisation\tF16\n"
        f"size\t{size / 1000:.1f} kB\ncontext\t2048 tokens\nchat template\tyes\nlicence\tnot said\n"
        f"sampling\tnothing recommended\nmemory\tabout {need} MB with a context of 2048\nmatrix rows\t-\n",
        "",
    )


def test_info_shows_what_the_maker_recommends(program):
    def add(writer):
        writer.add_float32("general.sampling.temp", 0.6)
        writer.add_int32("general.sampling.top_k", 20)
        writer.add_float32("general.sampling.top_p", 7.5)  # nonsense is left out

    write_gguf(models_dir() / "own.gguf", add=add)
    told = json.loads(program("models", "info", "own", "--json").stdout)
    assert told["recommended_sampling"] == {"temp": 0.6, "top_k": 20}
    assert (
        told["memory"]["kv_cache"] == (2048 + 512) * 64 * 2
    )  # with the cells that rejected drafts may hide in


def test_errors_are_one_line_and_exit_3(program, some):
    assert outcome(program("models", "info", "o")) == (
        3,
        "",
        "trchat: 'o' fits 2 models: own, org/Repo/hub; write more of the name\n",
    )
    assert outcome(program("models", "info", "x")) == (
        3,
        "",
        "trchat: no model is called 'x'; 'trchat models' lists those there are\n",
    )
    assert outcome(program("models", "info")) == (
        3,
        "",
        f"trchat: there are 3 models: own, org/Repo/hub, gemma3:1b; {HOW_TO_CHOOSE}\n",
    )


def test_without_any_model_it_says_how_to_get_one(program):
    assert outcome(program("models", "info")) == (3, "", f"trchat: no model found: {HOW_TO_GET_ONE}\n")


def test_default_is_written_and_used(program, some, home, tmp_path):
    config = home / "config.toml"
    config.write_text("# mine\ntheme = 'nord'\n")
    assert outcome(program("models", "default", "REPO")) == (
        0,
        "",
        f"trchat: org/Repo/hub is the default model now ({config})\n",
    )
    assert config.read_text() == "# mine\ntheme = 'nord'\ndefault_model = \"org/Repo/hub\"\n"
    assert outcome(program("models", "default")) == (0, "org/Repo/hub\n", "")
    assert outcome(program("models", "default", env={"TRCHAT_MODEL": "own"})) == (0, "own\n", "")
    path = write_gguf(tmp_path / "elsewhere.gguf")
    assert program("models", "default", str(path)).returncode == 0
    assert outcome(program("models", "path", "elsewhere"))[0] == 3
    assert "default_model = " in config.read_text() and "elsewhere.gguf" in config.read_text()
    assert program("models", "default").stdout == "elsewhere\n"


def test_an_unknown_default_changes_nothing(program, home):
    assert program("models", "default", "nobody").returncode == 3
    assert not (home / "config.toml").exists()


def test_path(program, some, home):
    assert outcome(program("models", "path")) == (0, f"{home / 'models'}\n", "")
    assert outcome(program("models", "path", "gemma")) == (0, f"{some['ollama']}\n", "")


@pytest.mark.slow
def test_a_name_that_is_no_utf8_is_printed_exactly(nothing_elsewhere):
    path = write_gguf(models_dir() / "plain.gguf")
    try:
        odd = path.rename(os.fsdecode(os.fsencode(path).replace(b"plain", b"odd\xff\x1b")))
    except (OSError, UnicodeError):
        pytest.skip("file names are UTF-8 here")
    both = "from trchat.cli import main; main(['models', 'path', 'odd']); main(['models'])"
    done = subprocess.run([sys.executable, "-c", both], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    path, listed = done.stdout.split(b"\n", 1)
    assert path == os.fsencode(odd)
    assert "\nodd\\udcff␛\tllama\t" in listed.decode()


def test_get_without_the_extra_says_what_to_install(program):
    start = "import sys; sys.modules['huggingface_hub'] = None; from trchat.cli import main; sys.exit(main())"
    assert outcome(program("models", "get", "org/repo", start=start)) == (
        1,
        "",
        "trchat: downloading needs the extra 'hub': pip install 'trchat[hub]'\n",
    )


def test_help_and_version_import_nothing_heavy(program):
    start = (
        "import sys; from trchat.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'rich', 'textual', 'llama_cpp', 'huggingface_hub', 'jinja2', 'tomllib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for args in (("--version",), ("--help",), ("models", "--help"), ("config", "--help")):
        alone = {"COVERAGE_PROCESS_CONFIG": ""}  # measuring coverage imports things of its own
        assert program(*args, start=start, env=alone).stdout.endswith("\n[]\n")
