"""Where trchat keeps things. ``TRCHAT_HOME`` moves all of it below one folder."""

import os
from pathlib import Path

import platformdirs

PRIVATE_DIR_MODE = 0o700
"""Conversations are the owner's business: folders are made for the owner only."""


def user_path(text: str) -> Path:
    """A path as somebody has typed it: ``~`` is a home folder, where there is such a home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def data_dir() -> Path:
    """Folder of recycled candidates, conversations and logs (not created)."""
    home = os.environ.get("TRCHAT_HOME")
    return user_path(home) if home else Path(platformdirs.user_data_dir("trchat", appauthor=False))


def config_dir() -> Path:
    """Folder of the configuration file (not created)."""
    home = os.environ.get("TRCHAT_HOME")
    return user_path(home) if home else Path(platformdirs.user_config_dir("trchat", appauthor=False))


def log_file() -> Path:
    """File that llama.cpp's own log goes to (not created)."""
    return data_dir() / "llama.log"


def make_private_dir(folder: Path) -> Path:
    """Create ``folder`` and the parents it lacks for the owner only, and return it.

    Raises OSError when the disk refuses; callers decide whether they can go on without it.
    """
    # One by one: ``parents=True`` would leave the parents open to everybody.
    if not folder.parent.is_dir() and folder.parent != folder:
        make_private_dir(folder.parent)
    folder.mkdir(mode=PRIVATE_DIR_MODE, exist_ok=True)
    return folder
