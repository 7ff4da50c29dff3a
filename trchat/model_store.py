"""From a model's file to the store of what was learned about it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from trchat.catalog.fingerprint import fingerprint
from trchat.storage.recycled import step_times
from trchat.storage.recycled.files import costs_in_store, open_memory, rows_in_store, store_files
from trchat.storage.recycled.memory import Memory
from trchat.storage.recycled.records import Identity


def identity_of(path: Path) -> Identity:
    """Whose store belongs to the model at ``path``. Raises ModelError for a file that cannot be read."""
    found = fingerprint(path)
    return Identity(
        name=found.name,
        architecture=found.card.architecture,
        parameters=found.card.parameters,
        vocabulary=found.vocabulary,
        quantisation=found.card.quantisation,
        tokenizer=found.tokenizer,
        weights=found.weights,
    )


def hot_memory(path: Path, n_vocab: int, tell: Callable[[str], None]) -> Memory:
    """A memory of its own with what was learned about the model at ``path``; nothing is ever saved."""
    return open_memory(replace(identity_of(path), vocabulary=n_vocab), "", tell, remember=False)


def plain_step_times(
    path: Path, n_vocab: int, settings: Sequence[str], warn: Callable[[str], None]
) -> list[float | None]:
    """Milliseconds of a plain step of the model at ``path`` as last seen in each of ``settings``, or None.

    ``warn`` is as for ``rows_learned``. Raises ModelError for a file that cannot be read.
    """
    if not store_files():
        return [None] * len(settings)
    stored = costs_in_store(replace(identity_of(path), vocabulary=n_vocab), settings, warn)
    return [None if costs is None else step_times.plain_ms(costs) for costs in stored]


def rows_learned(path: Path, warn: Callable[[str], None]) -> int | None:
    """Rows that a chat with the model at ``path`` would start from; None where nothing was learned yet.

    ``warn`` gets a line where they were damaged and are set aside. Raises ModelError for a file that cannot
    be read.
    """
    # Telling whose store is whose takes reading the model's header: not done where there is none.
    return rows_in_store(identity_of(path), warn) if store_files() else None
