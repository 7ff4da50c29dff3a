"""Which model was loaded last: the one that somebody who names none means."""

import os
from contextlib import suppress
from pathlib import Path

from trchat.paths import data_dir, make_private_dir


def last_used() -> Path | None:
    """The file of the model that was loaded last; None where none was, or where it is gone."""
    try:
        path = Path(os.fsdecode(_note().read_bytes()))
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


def note(path: Path) -> None:
    """Remember that the model at ``path`` was loaded. Where that cannot be written, it is not remembered."""
    with suppress(OSError):
        make_private_dir(_note().parent)
        _note().write_bytes(os.fsencode(path.absolute()))


def _note() -> Path:
    return data_dir() / "last_model"
