"""The files of a database: for the owner only, and moved out of the way when they cannot be used."""

import contextlib
import os
from datetime import datetime
from pathlib import Path

from trchat.paths import make_private_dir

PRIVATE_FILE_MODE = 0o600
SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; a write-ahead log holds data that the file itself has not got yet."""


def prepare_private_file(path: Path) -> None:
    """Create ``path`` and its folder where missing, and let only the owner read the file.

    SQLite gives its sidecars the mode of the database, so making the database first is enough for new
    files. Raises OSError when the disk refuses.
    """
    make_private_dir(path.parent)
    # An existing file is not even opened: closing it would drop the locks that SQLite, in this same
    # process, may hold on it through another connection.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE))
    if path.is_symlink():  # where it leads, its owner has chosen who may read it
        return
    for file in (path, *(sidecar(path, ending) for ending in SIDECARS)):
        # Elsewhere than on POSIX, and on some mounted disks, modes mean nothing or cannot be set.
        with contextlib.suppress(OSError, NotImplementedError):
            if file.stat().st_mode & 0o077:
                file.chmod(PRIVATE_FILE_MODE)


def sidecar(path: Path, ending: str) -> Path:
    """Return the file that SQLite keeps beside ``path`` under this ending."""
    return path.with_name(path.name + ending)


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this very file from another one at the same path; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, label: str, now: datetime | None = None) -> Path:
    """Rename ``path`` and its sidecars to ``NAME.LABEL-TIMESTAMP`` and return the new path.

    Nothing is deleted or overwritten. Raises OSError when the disk refuses.
    """
    stamp = f"{now or datetime.now():%Y%m%d-%H%M%S}"
    target = path.with_name(f"{path.name}.{label}-{stamp}")
    count = 1
    while target.exists():
        count += 1
        target = path.with_name(f"{path.name}.{label}-{stamp}-{count}")
    path.rename(target)
    for ending in SIDECARS:
        # A log left behind would be replayed into the file that takes this place.
        with contextlib.suppress(FileNotFoundError):
            sidecar(path, ending).rename(sidecar(target, ending))
    return target
