"""Who may know whom, and that nothing heavy is loaded before it is needed."""

import ast
import os
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import trchat

PACKAGE = Path(trchat.__file__).parent
MAY_USE = {
    "text": {"text"},
    "recycling": {"recycling"},
    "grammar": {"grammar", "text"},
    "llama": {"llama", "grammar", "catalog"},
    "decoding": {"decoding", "recycling", "llama"},
    "storage": {"storage", "text", "recycling"},
    "catalog": {"catalog", "text"},
    "chat": {"chat", "decoding", "recycling", "llama", "text", "storage"},
    "session": {"session", "chat", "decoding", "recycling", "llama", "text", "storage", "catalog"},
    "serve": {"serve", "grammar", "chat", "llama", "text", "storage", "catalog"},
    "plain": {"plain", "session", "storage", "catalog", "text"},
    "tui": {"tui", "session", "chat", "storage", "catalog", "text"},
}
ABOVE = {
    "chat": {"config", "config_rules", "drafting", "gpu_layers", "model_crashes", "model_store"},
    "session": {"config", "config_file", "config_rules", "drafting", "model_crashes", "startup"},
    "serve": {"config", "config_rules", "model_crashes", "startup"},
    "plain": {"config_file", "config_rules", "startup"},
    "tui": {"config_file", "config_rules", "startup"},
}
"""Modules that stand in no room."""
FOR_ALL = {"attention", "errors", "machines", "paths"}


@cache
def imports(file):
    """The modules that a file imports, anywhere in it: at run time, and for type checkers only."""
    real, for_types = set(), set()
    for top in ast.parse(file.read_text(encoding="utf-8")).body:
        only_types = isinstance(top, ast.If) and ast.unparse(top.test) == "TYPE_CHECKING"
        found = for_types if only_types else real
        for node in ast.walk(top):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module)
            elif isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
    return real, for_types


def imported(file):
    return set.union(*imports(file))


@pytest.mark.parametrize("room", MAY_USE)
def test_rooms_only_know_the_rooms_below(room):
    for file in (PACKAGE / room).rglob("*.py"):
        for module in imported(file):
            if module.startswith("trchat."):
                other = module.split(".")[1]
                allowed = MAY_USE[room] | FOR_ALL | ABOVE.get(room, set())
                assert other in allowed, f"{file.name} of {room} imports {module}"


def test_only_the_llama_room_imports_llama_cpp():
    for file in PACKAGE.rglob("*.py"):
        if "llama_cpp" in {module.split(".")[0] for module in imported(file)}:
            assert file.parent.name == "llama", file


def test_no_imports_go_in_circles():
    """Neither at the top of a module nor, later, inside of a function."""
    names = {
        ".".join(("trchat", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): file
        for file in PACKAGE.rglob("*.py")
    }
    known = {name: imports(file)[0] & set(names) - {name} for name, file in names.items()}
    assert len(list(TopologicalSorter(known).static_order())) == len(names)


def test_recycling_needs_numpy_only():
    for file in (PACKAGE / "recycling").rglob("*.py"):
        outside = {module.split(".")[0] for module in imported(file)} - set(sys.stdlib_module_names)
        assert outside <= {"numpy", "trchat"}, file.name


@pytest.mark.slow
def test_help_loads_nothing_heavy():
    code = "import sys, trchat.cli; trchat.cli.build_parser(); print([m for m in %r if m in sys.modules])"
    heavy = [
        "numpy",
        "llama_cpp",
        "textual",
        "rich",
        "jinja2",
        "sqlite3",
        "huggingface_hub",
        "llguidance",
        "jsonschema",
        "starlette",
        "uvicorn",
    ]
    alone = {**os.environ, "COVERAGE_PROCESS_CONFIG": ""}  # measuring coverage imports things of its own
    command = [sys.executable, "-c", code % heavy]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=alone)
    assert done.stdout.strip() == "[]"


def test_only_the_tui_imports_textual():
    for file in PACKAGE.rglob("*.py"):
        if "textual" in {module.split(".")[0] for module in imported(file)}:
            assert "tui" in file.relative_to(PACKAGE).parts, file


def test_only_the_server_imports_a_web_framework():
    for file in PACKAGE.rglob("*.py"):
        if {"starlette", "uvicorn"} & {module.split(".")[0] for module in imported(file)}:
            assert file.parent.name == "serve", file


FRONT_ENDS = ["trchat.cli.answering", "trchat.plain.chat", "trchat.tui.app", "trchat.serve.running"]


@pytest.mark.slow
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_no_front_end_loads_llama_cpp(front_end):
    code = f"import sys, {front_end}, trchat.session.answering; print('llama_cpp' in sys.modules)"
    alone = {**os.environ, "COVERAGE_PROCESS_CONFIG": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=alone)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_the_engine_s_process_loads_no_textual():
    code = "import sys, trchat.chat.engine_child, trchat.chat.loading; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
