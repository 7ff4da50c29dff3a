"""The files of states: one a piece, named by the keys of the text before it and up to its end."""

import contextlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from trchat.paths import make_private_dir
from trchat.storage.files import PRIVATE_FILE_MODE
from trchat.storage.states.owners import (
    OWNER,
    PIECE,
    UNFINISHED,
    owned,
    owned_by_any,
    owner_file,
    scan,
    states_dir,
)
from trchat.storage.states.span import KEY_BYTES, About, Key, Span, read_about, read_span, write_span

_LEFT_BEHIND_S = 3600.0
"""No file is written for so long: it was left unfinished, or its conversation never noted."""
MOST_BYTES, SHARE_OF_FREE = 2 << 30, 0.05
_BINARY = getattr(os, "O_BINARY", 0)

_numbers = itertools.count()


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """Of a piece: the key of the text before it, and of the text with it."""

    parent: Key
    key: Key

    def __str__(self) -> str:
        """The file's name."""
        return f"{self.parent.hex()}-{self.key.hex()}{PIECE}"


def parse_name(text: str) -> Name | None:
    """The name that a file's name spells, if it does."""
    parent, dash, key = text.removesuffix(PIECE).partition("-")
    if not text.endswith(PIECE) or not dash or len(parent) != 2 * KEY_BYTES or len(key) != 2 * KEY_BYTES:
        return None
    try:
        return Name(bytes.fromhex(parent), bytes.fromhex(key))
    except ValueError:
        return None


def budget_for(setting: int | None) -> int:
    """Bytes that all states together may take; ``setting`` None is 2 GB or 5 % of what is free, if less."""
    if setting is not None:
        return setting
    folder = states_dir()
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    try:
        free = shutil.disk_usage(there).free if there else 0
    except OSError:
        return 0
    return min(MOST_BYTES, int(SHARE_OF_FREE * (free + sum(each.size for each in _files(folder)))))


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    used: int  # nanoseconds since 1970


def _files(folder: Path) -> list[_File]:
    """All pieces of all models."""
    found = []
    for model in scan(folder):
        if model.is_dir(follow_symlinks=False):
            for entry in scan(Path(model.path)):
                if entry.name.endswith(PIECE):
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        found.append(_File(Path(entry.path), status.st_size, status.st_mtime_ns))
    return found


class StatesFolder:
    """One model's states on disk. Used by several threads and programs: every file is whole, or not there."""

    def __init__(self, path: Path, budget: int, note: Callable[[str], None]) -> None:
        """``path`` is the model's folder in ``states_dir``, ``budget`` the bytes of all models' together.

        ``note`` gets lines for the log.
        """
        self.path = path
        self._budget = budget
        self._note = note
        self._used: int | None = None
        self._tidied = False

    def names(self) -> list[Name]:
        """All pieces there are."""
        return [name for entry in scan(self.path) if (name := parse_name(entry.name)) is not None]

    def about(self, name: Name) -> About | None:
        """What a piece says that it is; only ``read`` checks it."""
        try:
            with (self.path / str(name)).open("rb") as file:
                about = read_about(file)
        except OSError:
            return None
        return about if about is not None and about.parent == name.parent else None

    def read(self, name: Name) -> Span | None:
        """A piece; what cannot be right is dropped, and then there is none."""
        path = self.path / str(name)
        try:
            with path.open("rb") as file:
                span = read_span(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._note(f"states: {path.name} cannot be read: {error}")
            return None
        if span is None or (span.about.parent, span.about.key) != (name.parent, name.key):
            self._note(f"states: {path.name} is damaged, and dropped")
            self.remove(name)
            return None
        return span

    def write(self, span: Span, used: float) -> bool:
        """Add a piece, which was ``used`` then (seconds since 1970). False when there is no room for it.

        Raises OSError when the disk refuses.
        """
        if span.size > self._budget:
            return False
        self.tidy()
        name = Name(span.about.parent, span.about.key)
        path, unfinished = self.path / str(name), self._unfinished()
        try:
            # No waiting for the disk: what a power cut leaves torn fails its checksum, and is read again.
            with os.fdopen(
                os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, PRIVATE_FILE_MODE), "wb"
            ) as file:
                write_span(span, file)
            os.utime(unfinished, ns=(int(used * 1e9), int(used * 1e9)))
            unfinished.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            if path.exists():  # Windows replaces no file that another program reads
                return True
            raise
        self._used = (self._used or 0) + span.size
        if self._used > self._budget:
            self._make_room()
        return True

    def touch(self, name: Name, used: float) -> None:
        """Note that a piece was ``used`` then."""
        with contextlib.suppress(OSError):
            os.utime(self.path / str(name), ns=(int(used * 1e9), int(used * 1e9)))

    def remove(self, name: Name) -> None:
        """Remove a piece, if it is there."""
        with contextlib.suppress(OSError):
            (self.path / str(name)).unlink()

    def own(self, conversation: int, names: Collection[Name]) -> None:
        """Note that a conversation has these pieces, besides those it had. Raises OSError."""
        make_private_dir(self.path)
        path = owner_file(self.path, conversation)
        all_names = {*owned(path), *map(str, names)}
        unfinished = self._unfinished()
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE), "w"
        ) as file:
            json.dump(sorted(all_names), file)
        unfinished.replace(path)

    def owned_by(self, conversation: int) -> bool:
        """Whether there is anything noted of a conversation: not after it was deleted."""
        return owner_file(self.path, conversation).exists()

    def tidy(self) -> None:
        """Once: count what is there, and remove what was left behind by programs that were ended."""
        if self._tidied:
            return
        self._tidied = True
        make_private_dir(self.path)
        old = time.time() - _LEFT_BEHIND_S
        listed = owned_by_any(self.path)
        there = {entry.name: entry for entry in scan(self.path)}
        for entry in there.values():
            lost = entry.name.endswith(UNFINISHED)
            if entry.name.endswith(PIECE):
                lost = entry.name not in listed
            elif entry.name.endswith(OWNER):
                lost = owned(Path(entry.path)).isdisjoint(there)
            with contextlib.suppress(OSError):
                if lost and entry.stat().st_mtime < old:
                    Path(entry.path).unlink()
        self._used = sum(each.size for each in _files(self.path.parent))
        self._make_room()

    def _make_room(self) -> None:
        """Remove what was used longest ago, of any model, until all is within the budget."""
        files = sorted(_files(self.path.parent), key=lambda each: each.used)
        used = sum(each.size for each in files)
        for each in files:
            if used <= self._budget:
                break
            with contextlib.suppress(OSError):
                each.path.unlink()
                used -= each.size
        self._used = used

    def _unfinished(self) -> Path:
        return self.path / f"{os.getpid()}-{next(_numbers)}{UNFINISHED}"
