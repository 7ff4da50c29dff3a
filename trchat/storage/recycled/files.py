"""The stores on disk: which file is whose, and opening a model's memory."""

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from trchat.errors import TrchatError
from trchat.paths import data_dir
from trchat.storage.database import StorageError, Warn
from trchat.storage.recycled import hit_rates
from trchat.storage.recycled.memory import NOTHING, Memory
from trchat.storage.recycled.records import Change, Identity, Loaded, Saved
from trchat.storage.recycled.rows import MAX_GENERATION
from trchat.storage.recycled.store import RecycledStore
from trchat.storage.recycled.writer import Writer

FOLDER = "recycled"
_ENDING = ".db"


def recycled_dir() -> Path:
    """The folder of all stores (not created)."""
    return data_dir() / FOLDER


def store_file(identity: Identity) -> Path:
    """The file of a model's store (not created)."""
    return recycled_dir() / identity.file_name


def store_files() -> list[Path]:
    """All stores there are, by name."""
    try:
        return sorted(path for path in recycled_dir().iterdir() if path.suffix == _ENDING and path.is_file())
    except OSError:
        return []


def sibling_file(identity: Identity) -> Path | None:
    """The store, used last, of another quantisation of the same model."""
    own = store_file(identity)
    siblings = [path for path in store_files() if f"-{identity.family}-" in path.name and path != own]

    def used(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    return max(siblings, key=used, default=None)


def open_memory(
    identity: Identity, setting: str, tell: Warn, *, remember: bool = True, recall: bool = True
) -> Memory:
    """What was learned about a model, or of another quantisation of it, and from now on is saved.

    Step costs are those for ``setting``. ``tell`` gets lines for a person, on the caller's thread. Without
    ``remember`` nothing is written; without ``recall`` all begins cold. Whatever is wrong with the disk, a
    memory comes back.
    """
    told: deque[str] = deque()

    def poll() -> None:
        while told:
            tell(told.popleft())

    try:
        return _open(identity, setting, told.append, poll, remember, recall)
    except (StorageError, OSError) as error:
        told.append(f"nothing learned before can be used, nor be saved: {error}")
        return Memory(identity.vocabulary)
    finally:
        poll()


def rows_in_store(identity: Identity, warn: Warn = lambda line: None) -> int | None:
    """Rows that a model's own store holds; None where there is none or it cannot be used.

    ``warn`` gets a line where the store had to be set aside.
    """
    path = store_file(identity)
    if not path.exists():
        return None
    try:
        store = RecycledStore(path, identity, warn)
    except (StorageError, OSError):
        return None
    try:
        return sum(store.row_counts().values()) or None
    except StorageError:
        return None
    finally:
        store.close()


def costs_in_store(identity: Identity, settings: Sequence[str], warn: Warn) -> list[str | None]:
    """The step costs that a model's own store holds for each of ``settings``; ``warn`` as above."""
    path = store_file(identity)
    nothing: list[str | None] = [None] * len(settings)
    if not path.exists():
        return nothing
    try:
        store = RecycledStore(path, identity, warn)
    except (StorageError, OSError):
        return nothing
    try:
        return [store.costs(setting) for setting in settings]
    except StorageError:
        return nothing
    finally:
        store.close()


def export_store(source: Path, target: Path) -> None:
    """Copy a store as one whole file, whatever is being written to it. Raises OSError and StorageError."""
    store = RecycledStore(source, None, lambda line: None)
    try:
        store.copy_to(target)
    finally:
        store.close()


def import_store(source: Path) -> tuple[Identity, int]:
    """Merge the store in ``source``, from whatever machine, into the model's own; say whose, how many rows.

    ``source`` is read, checked and left as it is. Raises TrchatError when it is not a store.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Opening a damaged file renames it, which must not happen to a person's own file.
        copy = Path(folder) / "copy.db"
        shutil.copyfile(source, copy)
        troubles: list[str] = []
        store = RecycledStore(copy, None, troubles.append)
        try:
            identity, loaded, totals = store.identity, store.load(), store.totals()
            left_out = store.rows_left_out()
        finally:
            store.close()
    if troubles or not identity.weights or not identity.vocabulary:
        raise TrchatError(f"{source} is not a store of recycled candidates, or is damaged")
    if left_out and not loaded.rows:
        raise TrchatError(
            f"{source} was written by another version of trchat, whose rows cannot be used here"
        )
    calibration = hit_rates.sound(loaded.calibration) if loaded.calibration is not None else None
    own = RecycledStore(store_file(identity), identity, troubles.append)
    try:
        # Rows can be merged again and again; counts would be added each time, so they only fill a void.
        # Step costs are another machine's and stay there.
        first = not own.totals() and own.load().calibration is None
        change = Change(
            seen=MAX_GENERATION,
            rows=loaded.rows,
            before=calibration if first else None,
            after=calibration if first else None,
            totals=totals if first else {},
        )
        own.save(change)
        if troubles or own.path is None:
            raise TrchatError("; ".join(troubles))
    finally:
        own.close()
    return identity, sum(map(len, loaded.rows.values()))


def reset_store(identity: Identity) -> None:
    """Forget what was learned about a model; whoever runs it goes on from now. Raises TrchatError."""
    troubles: list[str] = []
    store = RecycledStore(store_file(identity), identity, troubles.append)
    try:
        if store.path is not None:
            store.reset()
        if store.path is None:
            raise TrchatError(f"nothing was forgotten: {'; '.join(troubles)}")
    finally:
        store.close()


def _open(
    identity: Identity,
    setting: str,
    warn: Warn,
    poll: Callable[[], None],
    remember: bool,
    recall: bool,
) -> Memory:
    path = store_file(identity)
    loaded, costs, inherited = NOTHING, None, False
    if recall and path.exists():
        store = RecycledStore(path, identity, warn)
        loaded, costs = store.load(), store.costs(setting)
        if left_out := store.rows_left_out():
            warn(
                f"{left_out} rows that another version of trchat has learned cannot be used and are left out"
            )
    elif remember:
        store = RecycledStore(path, identity, warn)
    else:
        store = None
    if (
        recall
        and not loaded.rows
        and not loaded.was_reset
        and (sibling := sibling_file(identity)) is not None
    ):
        loaded, name = _load_sibling(sibling, identity, warn)
        inherited = bool(loaded.rows)
        if inherited:
            rows = sum(map(len, loaded.rows.values()))
            warn(f"starting from {rows} rows learned with another quantisation of this model ({name})")
    if not remember and store is not None:
        store.close()
    return Memory(
        identity.vocabulary,
        loaded,
        inherited=inherited,
        setting=setting,
        costs=costs,
        writer=_writer(store, warn) if remember and store is not None else None,
        poll=poll,
    )


def _load_sibling(path: Path, identity: Identity, warn: Warn) -> tuple[Loaded, str]:
    store = RecycledStore(path, None, warn)
    try:
        about = store.about()
        # The name of the file is only a promise.
        if about.get("tokenizer") != identity.tokenizer or about.get("vocabulary") != identity.vocabulary:
            return NOTHING, ""
        return store.load(), str(about.get("quantisation", "unknown"))
    finally:
        store.close()


def _writer(store: RecycledStore, warn: Warn) -> Writer:
    def save(change: Change) -> Saved | None:
        if store.path is None:
            return None  # said already; a copy in memory would not help
        try:
            return store.save(change)
        except Exception as error:  # a thread's traceback would end up in the middle of the answer
            warn(f"what was learned could not be saved: {error}")
            return None

    return Writer(save, store.close)
