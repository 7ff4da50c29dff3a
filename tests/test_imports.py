"""Who may know whom, and that nothing heavy is loaded before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import trchat

PACKAGE = Path(trchat.__file__).parent
MAY_USE = {
    "text": {"text"},
    "recycling": {"recycling"},
    "llama": {"llama"},
    "decoding": {"decoding", "recycling", "llama"},
    "storage": {"storage", "text", "recycling"},
    "catalog": {"catalog", "text"},
    "chat": {"chat", "decoding", "recycling", "llama", "text", "storage"},
    "session": {"session", "chat", "decoding", "recycling", "llama", "text", "storage", "catalog"},
    "plain": {"plain", "session", "storage", "catalog", "text"},
    "tui": {"tui", "session", "chat", "storage", "catalog", "text"},
}
ABOVE = {
    "chat": {"config", "drafting", "model_store"},
    "session": {"config", "config_rules", "drafting", "startup"},
    "plain": {"config_file", "config_rules", "startup"},
    "tui": {"config_file", "config_rules", "startup"},
}
"""Modules that stand in no room."""
FOR_ALL = {"errors", "paths"}


def imported(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("room", MAY_USE)
def test_rooms_only_know_the_rooms_below(room):
    for file in (PACKAGE / room).rglob("*.py"):
        for module in imported(file):
            if module.startswith("trchat."):
                other = module.split(".")[1]
                allowed = MAY_USE[room] | FOR_ALL | ABOVE.get(room, set())
                assert other in allowed, f"{file.name} of {room} imports {module}"


def test_only_the_llama_room_imports_llama_cpp():
    formatter = PACKAGE / "chat" / "template.py"  # llama-cpp-python's Jinja formatter is text work
    for file in PACKAGE.rglob("*.py"):
        if "llama_cpp" in {module.split(".")[0] for module in imported(file)}:
            assert file.parent.name == "llama" or file == formatter


def test_recycling_needs_numpy_only():
    for file in (PACKAGE / "recycling").rglob("*.py"):
        outside = {module.split(".")[0] for module in imported(file)} - set(sys.stdlib_module_names)
        assert outside <= {"numpy", "trchat"}, file.name


def test_help_loads_nothing_heavy():
    code = "import sys, trchat.cli; trchat.cli.build_parser(); print([m for m in %r if m in sys.modules])"
    heavy = ["numpy", "llama_cpp", "textual", "rich", "jinja2", "sqlite3", "huggingface_hub"]
    done = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_tui_imports_textual():
    for file in PACKAGE.rglob("*.py"):
        if "textual" in {module.split(".")[0] for module in imported(file)}:
            assert "tui" in file.relative_to(PACKAGE).parts, file
