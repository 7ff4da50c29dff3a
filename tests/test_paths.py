"""Where things are kept."""

import stat
import sys
from pathlib import Path

import pytest

from trchat import paths


def test_one_variable_moves_everything_below_one_folder(home):
    for place in (paths.data_dir(), paths.config_dir(), paths.log_file()):
        assert place.is_relative_to(home)
        assert not place.exists(), "asking makes nothing"


def test_without_it_folders_are_where_the_system_keeps_them(monkeypatch):
    monkeypatch.delenv("TRCHAT_HOME")
    for folder in (paths.data_dir(), paths.config_dir()):
        assert folder.is_absolute() and "trchat" in folder.parts


def test_a_path_as_somebody_types_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert paths.user_path("~/a.txt") == tmp_path / "a.txt"
    assert paths.user_path("b/a.txt") == Path("b/a.txt")
    assert paths.user_path("~nobody-here/a.txt") == Path("~nobody-here/a.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="modes mean nothing on Windows")
def test_folders_are_the_owners_alone(tmp_path):
    tmp_path.chmod(0o755)
    folder = paths.make_private_dir(tmp_path / "a" / "b")
    for made in (folder, folder.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert paths.make_private_dir(folder) == folder
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "what was there is left as it is"


def test_a_file_in_the_way_of_a_folder_is_the_disks_refusal(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "b" / "c"):
        with pytest.raises(OSError):
            paths.make_private_dir(place)
