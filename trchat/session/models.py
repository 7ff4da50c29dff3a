"""The models to choose from, as a front end lists them."""

from dataclasses import dataclass

from trchat.catalog.free_memory import free_memory
from trchat.catalog.gguf_header import read_header
from trchat.catalog.listing import Model, list_models
from trchat.catalog.memory import estimate
from trchat.errors import ModelError
from trchat.startup import DEFAULT_CTX
from trchat.text.units import byte_size, parameter_count


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One line of the list: the model, and in words how large it is and whether it fits into memory."""

    model: Model
    detail: str
    in_use: bool = False


def models_to_choose(in_use: Model | None = None) -> tuple[list[ListedModel], list[str]]:
    """All models by name, the one in use among them wherever it lies, and a line for each broken file."""
    models, problems = list_models()
    if in_use is not None and in_use.path not in [model.path for model in models]:
        models.insert(0, in_use)
    free = free_memory()
    return [_listed(model, free, in_use) for model in models], problems


def model_line(model: Model) -> str:
    """A model in a line: its name, parameters, quantisation and size."""
    card = model.card
    return " · ".join((model.name, parameter_count(card.parameters), card.quantisation, byte_size(card.size)))


def _listed(model: Model, free: int | None, in_use: Model | None) -> ListedModel:
    used = in_use is not None and model.path == in_use.path
    card = model.card
    fits = "in use" if used else _fits(model, free)
    parts = (parameter_count(card.parameters), card.quantisation, byte_size(card.size), fits, model.source)
    return ListedModel(model, " · ".join(part for part in parts if part), used)


def _fits(model: Model, free: int | None) -> str:
    """Whether the model, with the context it would get, fits into the memory that is free now."""
    if free is None:
        return ""
    ctx = min(DEFAULT_CTX, model.card.context or DEFAULT_CTX)
    try:
        need = estimate(read_header(model.path), ctx, flash_attn="auto").total
    except ModelError:
        return ""
    return "fits" if need <= free else f"needs {byte_size(need)}, {byte_size(free)} free"
