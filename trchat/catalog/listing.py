"""The list of models: every file found that can chat, with its card, and a line for each that is broken."""

from dataclasses import dataclass
from pathlib import Path

from trchat.catalog.card import ModelCard, describe, why_no_chat
from trchat.catalog.gguf_header import read_header
from trchat.catalog.sources import FoundFile, find_files
from trchat.errors import ModelError


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be chatted with."""

    name: str
    path: Path
    source: str
    card: ModelCard

    @property
    def lasting_name(self) -> str:
        """By which it is found again from any folder: its name, or its path where it has none."""
        return str(self.path.absolute()) if self.source == "path" else self.name


def list_models() -> tuple[list[Model], list[str]]:
    """All models found, by name, and one line for every file that is broken.

    Files that are sound but no chat models (projectors, adapters, vocabularies) are in neither.
    """
    models: list[Model] = []
    problems: list[str] = []
    for file in find_files():
        try:
            model = read_model(file)
        except ModelError as error:
            problems.append(str(error))
            continue
        if model:
            models.append(model)
    return sorted(models, key=lambda model: model.name.lower()), problems


def read_model(file: FoundFile) -> Model | None:
    """The model in a file, or None when the file is something else. Raises ModelError when it is broken."""
    header = read_header(file.path)
    if why_no_chat(header):
        return None
    return Model(file.name, file.path, file.source, describe(header))
