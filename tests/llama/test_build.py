"""What the installed llama.cpp says of itself, and how a build that cannot run here is told."""

import signal
import subprocess
import sys

import pytest

from trchat.llama import build
from trchat.llama.build import describe_build
from trchat.llama.log import system_info
from trchat.llama.threads import physical_cores


def ended(code, out="", err=""):
    return lambda *_args, **_kwargs: subprocess.CompletedProcess([], code, out, err)


def test_the_build_that_is_installed():
    found = describe_build()
    assert found.failure is None
    assert (found.features, found.cores) == (system_info(), physical_cores())
    assert found.processor
    if sys.platform != "win32":
        assert any(device.startswith("CPU: ") for device in found.devices)


@pytest.mark.parametrize(
    ("code", "errors", "told"),
    [
        (
            0xC000001D,
            "",
            "crashes: it was built for a newer processor than this one; install it from source",
        ),
        (1, "Traceback\nOSError: libllama.so: no\n", "cannot be loaded: OSError: libllama.so: no"),
        (3, "", "ends with exit code 3"),
    ],
)
def test_a_build_that_cannot_run(monkeypatch, code, errors, told):
    monkeypatch.setattr(build.subprocess, "run", ended(code, err=errors))
    assert describe_build() == build.Build(failure=told)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals on Windows")
@pytest.mark.parametrize(
    ("name", "told"), [("SIGILL", "built for a newer processor"), ("SIGSEGV", "crashes with SIGSEGV")]
)
def test_a_build_that_kills_its_process(monkeypatch, tmp_path, name, told):
    """A real process that dies of the signal stands for Python with that build."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nkill -{getattr(signal, name):d} $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert told in describe_build().failure


@pytest.mark.parametrize("output", ["", "no JSON", "{}", '{"features": 1}', "[]"])
def test_an_answer_that_is_none(monkeypatch, output):
    monkeypatch.setattr(build.subprocess, "run", ended(0, out=output))
    assert describe_build().failure.startswith("cannot be asked: ")
