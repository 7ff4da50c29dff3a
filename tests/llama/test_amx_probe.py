"""A build whose AMX kernels crash is found out in a child process, once."""

import json
import subprocess
import sys

import pytest

from trchat.llama import amx_probe
from trchat.llama.model import Model


def test_the_tiny_model_is_a_model_that_llama_cpp_runs(tmp_path, monkeypatch):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(amx_probe.tiny_model())
    with Model(path) as model:
        assert model.n_vocab == 64


def test_builds_without_amx_need_no_probe(monkeypatch):
    monkeypatch.setattr(amx_probe, "system_info", lambda: "CPU : AVX2 = 1")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kwargs: 1 / 0)
    assert amx_probe.amx_kernels_work()


def test_the_verdict_is_kept_per_build(monkeypatch, home):
    monkeypatch.setattr(amx_probe, "system_info", lambda: "CPU : AMX_INT8 = 1")
    calls = []

    def crash(*_args, **_kwargs):
        calls.append(1)
        return subprocess.CompletedProcess([], -11)

    monkeypatch.setattr(subprocess, "run", crash)
    assert not amx_probe.amx_kernels_work()
    assert not amx_probe.amx_kernels_work()
    assert len(calls) == 1

    verdict = json.loads((home / "amx.json").read_text())
    (home / "amx.json").write_text(json.dumps(verdict | {"build": "another"}))
    assert not amx_probe.amx_kernels_work()
    assert len(calls) == 2
    (home / "amx.json").write_text("[damaged")
    assert not amx_probe.amx_kernels_work()
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("error", "tries"), [(OSError("no process"), 2), (subprocess.TimeoutExpired("probe", 120), 1)]
)
def test_a_child_that_hangs_or_cannot_be_started_means_no_amx(monkeypatch, home, error, tries):
    """A hang is a verdict, and waited for once; where nothing was started, it is tried again."""
    monkeypatch.setattr(amx_probe, "system_info", lambda: "CPU : AMX_INT8 = 1")
    calls = []

    def fail(*_args, **_kwargs):
        calls.append(1)
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert not amx_probe.amx_kernels_work()
    assert not amx_probe.amx_kernels_work()
    assert len(calls) == tries


@pytest.mark.slow
def test_the_probe_runs_as_a_program(home):
    done = subprocess.run([sys.executable, "-m", "trchat.llama.amx_probe"], capture_output=True, check=False)
    survives = done.returncode == 0
    if "AMX_INT8 = 1" in amx_probe.system_info():
        assert amx_probe.amx_kernels_work() == survives
    else:  # then there is nothing that could crash
        assert survives
        assert amx_probe.amx_kernels_work()
