"""Files that made llama.cpp crash are remembered, so that none ends two chats unasked."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trchat import __version__
from trchat.catalog.fingerprint import fingerprint
from trchat.errors import ModelError
from trchat.paths import data_dir, make_private_dir

_MOST = 100
"""Files that are remembered; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Crash:
    """What one file did to its engine.

    Attributes:
        weights: the file's fingerprint.
        size: its bytes, to tell most other files at a glance.
        versions: of trchat and llama-cpp-python; others may know better.
        loading: whether it came no further than being loaded.
        what: what happened, in one line.
    """

    weights: str
    size: int
    versions: str
    loading: bool
    what: str


def crash_file() -> Path:
    """Where they are kept (not created)."""
    return data_dir() / "crashes.json"


def known_crash(path: Path) -> Crash | None:
    """What the model at ``path`` did to its engine last, with these versions; None where all went well."""
    try:
        size = path.stat().st_size
    except OSError:
        return None
    near = [each for each in _read() if each.size == size and each.versions == _versions()]
    weights = _weights(path) if near else None
    return next((each for each in reversed(near) if each.weights == weights), None)


def remember_crash(path: Path, what: str, *, loading: bool) -> None:
    """Keep that the model at ``path`` ended its engine. What cannot be kept is not."""
    weights = _weights(path)
    if weights is not None:
        with suppress(OSError):
            crash = Crash(weights, path.stat().st_size, _versions(), loading, what)
            others = [each for each in _read() if each.weights != weights]
            _write([*others, crash][-_MOST:])


def forget_crash(path: Path) -> None:
    """The model at ``path`` has answered: whatever it did before is over."""
    known = known_crash(path)
    if known is not None:
        _write([each for each in _read() if each.weights != known.weights])


def _weights(path: Path) -> str | None:
    try:
        return fingerprint(path).weights
    except ModelError:
        return None


def _versions() -> str:
    try:
        return f"trchat {__version__}, llama-cpp-python {version('llama_cpp_python')}"
    except PackageNotFoundError:
        return f"trchat {__version__}"


def _read() -> list[Crash]:
    try:
        listed: list[dict[str, Any]] = json.loads(crash_file().read_text("utf-8"))
        return [Crash(**each) for each in listed]
    except (OSError, ValueError, TypeError):  # not there, or not ours: it is written again
        return []


def _write(crashes: list[Crash]) -> None:
    with suppress(OSError):
        make_private_dir(crash_file().parent)
        crash_file().write_text(json.dumps([asdict(each) for each in crashes], indent=1), "utf-8")
