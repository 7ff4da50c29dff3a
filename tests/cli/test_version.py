"""``trchat --version``, and what a bug report needs."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.gguf_files import write_gguf
from trchat import __version__
from trchat.catalog.sources import models_dir
from trchat.cli import version as version_command
from trchat.cli.version import PACKAGES, shortened_home
from trchat.llama.build import Build
from trchat.recycling.native import binding


def pairs(output):
    lines = output.splitlines()
    assert lines[0] == f"trchat {__version__}"
    return [tuple(line.split("\t")) for line in lines[1:]]


def test_the_version_alone(here):
    assert here("--version") == (0, f"trchat {__version__}\n", "")


@pytest.mark.parametrize("args", [("--version", "-v"), ("-v", "--version")])
def test_with_v_it_tells_what_a_bug_report_needs(program, args, home):
    """Versions, processor, build, model and folders; asked of the real build of llama.cpp."""
    write_gguf(models_dir() / "tiny.gguf")
    done = program(*args, env={"TRCHAT_MODEL": "tiny"})
    assert (done.returncode, done.stderr) == (0, "")
    told = dict(pairs(done.stdout))
    assert told["python"].startswith(f"{platform.python_version()} (")
    assert {name: told[name] for name in PACKAGES} == {name: version(name) for name in PACKAGES}
    assert told["drafting"] == ("in Python" if binding.KERNEL is None else "compiled")
    assert told["system"] == platform.platform()
    assert " cores" in told["processor"]
    assert told["llama.cpp"].startswith("CPU : ") or " = 1" in told["llama.cpp"]
    assert told["model"].startswith("tiny (llama, ") and told["model"].endswith("tiny.gguf")
    assert told["data"] == str(home)
    assert told["configuration"] == f"{home / 'config.toml'} (not there)"


def test_a_machine_without_a_model_says_how_to_get_one(program):
    done = program("--version", "-v")
    assert done.returncode == 0
    assert dict(pairs(done.stdout))["model"].startswith("no model found: ")


def test_a_build_that_crashes_is_told_and_the_rest_all_the_same(here, monkeypatch):
    monkeypatch.setattr("trchat.llama.build.describe_build", lambda: Build(failure="crashes with SIGILL"))
    code, out, err = here("--version", "-v")
    told = dict(pairs(out))
    assert (code, err, told["llama.cpp"]) == (0, "", "crashes with SIGILL")
    assert "processor" not in told and "data" in told


def test_a_missing_package_is_named(monkeypatch, here):
    monkeypatch.setattr(version_command, "PACKAGES", ("no-such-package",))
    monkeypatch.setattr("trchat.llama.build.describe_build", lambda: Build(failure="-"))
    assert dict(pairs(here("--version", "-v")[1]))["no-such-package"] == "missing"


def test_the_home_folder_is_not_spelled_out(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert shortened_home(tmp_path / "models" / "a.gguf") == str(Path("~/models/a.gguf"))
    assert shortened_home(tmp_path.parent / "b.gguf") == str(tmp_path.parent / "b.gguf")


@pytest.mark.slow
def test_drafting_in_python_is_told_with_what_to_do(here, monkeypatch):
    monkeypatch.setattr(binding, "KERNEL", None)
    assert "install a C compiler" in dict(pairs(here("--version", "-v")[1]))["drafting"]
