"""Copying with the system's own program, where one works."""

import sys

import pytest

from trchat.session import clipboard
from trchat.session.clipboard import copy_natively

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs of this test are shell scripts")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """``programs(name, script)`` installs a program; no others are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    def install(name, script):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return install


def test_the_first_program_that_works_gets_the_text(programs, tmp_path):
    programs("wl-copy", "exit 0")  # needs Wayland, which is not there
    programs("xclip", "exit 1")
    programs("xsel", f"/bin/cat > {tmp_path}/copied")
    assert copy_natively("Zürich") == "xsel"
    assert (tmp_path / "copied").read_text("utf-8") == "Zürich"


def test_without_any_nothing_is_copied(programs):
    assert copy_natively("x") is None
    programs(clipboard.PROGRAMS[0][0], "exit 1")
    assert copy_natively("x") is None
