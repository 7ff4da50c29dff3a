"""Which conversation has which pieces of states, and removing those of conversations and models for good.

A piece is one file; conversations that begin alike share it. Each conversation has a file that lists its
pieces, and a piece goes with the last conversation that lists it.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from trchat.paths import data_dir

STATES = "states"
"""The folder of all states, beside the conversations."""
PIECE, OWNER, UNFINISHED = ".kv", ".json", ".part"
"""Endings of files."""
_PIECE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}\.kv")
_ZEROS = bytes(1 << 20)


def states_dir() -> Path:
    """The folder of all states, one folder a model in it (not created)."""
    return data_dir() / STATES


def states_of(file_name: str) -> Path:
    """The folder of the states of the model with this file of candidates (not created)."""
    return states_dir() / Path(file_name).stem


def owner_file(folder: Path, conversation: int) -> Path:
    """The file that lists a conversation's pieces of one model."""
    return folder / f"{conversation}{OWNER}"


def owned(path: Path) -> set[str]:
    """The names of files that an owner's file lists; none where it is damaged."""
    try:
        listed = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(listed, list):
        return set()
    return {each for each in listed if isinstance(each, str) and _PIECE.fullmatch(each)}


def owned_by_any(folder: Path) -> set[str]:
    """The names of files of one model that any conversation lists."""
    return set().union(*(owned(path) for path in folder.glob(f"*{OWNER}")))


def forget_conversations(conversations: Sequence[int], folder: Path) -> None:
    """Remove what is kept of these conversations alone, for good: it is overwritten.

    ``folder`` is that of all states. What the disk refuses stays.
    """
    for model in scan(folder):
        path = Path(model.path)
        names: set[str] = set()
        for conversation in conversations:
            file = owner_file(path, conversation)
            names |= owned(file)
            with contextlib.suppress(OSError):
                file.unlink()
        for name in names - owned_by_any(path) if names else ():
            _wipe(path / name)


def forget_model(folder: Path) -> int:
    """Remove all states of the model with this folder, for good; returns how many pieces there were."""
    count = 0
    for entry in scan(folder):
        count += entry.name.endswith(PIECE)
        _wipe(Path(entry.path))
    with contextlib.suppress(OSError):
        folder.rmdir()
    return count


def remove_all(folder: Path) -> None:
    """Remove all states of all models, for who wants none; ``folder`` is that of all."""
    for model in scan(folder):
        for entry in scan(Path(model.path)):
            with contextlib.suppress(OSError):
                Path(entry.path).unlink()
        with contextlib.suppress(OSError):
            Path(model.path).rmdir()


def scan(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """What is in a folder; nothing where there is none."""
    try:
        with os.scandir(folder) as entries:
            yield from list(entries)
    except OSError:
        return


def _wipe(path: Path) -> None:
    """Overwrite and remove a file."""
    with contextlib.suppress(OSError):
        if path.is_symlink() or not path.is_file():
            return
        try:
            with path.open("r+b") as file:
                left = file.seek(0, 2)
                file.seek(0)
                while left > 0:
                    left -= file.write(_ZEROS[:left])
                file.flush()
                os.fsync(file.fileno())
        finally:
            path.unlink()
