"""From what the user said to a model file and settled settings: the first step of all that answers."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from trchat.catalog import last_used, ollama
from trchat.catalog.card import recommended_sampling
from trchat.catalog.free_memory import free_memory
from trchat.catalog.gguf_header import Header, read_header
from trchat.catalog.listing import Model
from trchat.catalog.memory import memory_warning
from trchat.catalog.resolve import resolve_model
from trchat.catalog.sources import DEMO
from trchat.config import Settings, settle
from trchat.config_file import ConfigFile, load_config
from trchat.config_rules import SETTINGS, Value
from trchat.errors import UsageError
from trchat.paths import user_path
from trchat.text.decode import decode_text
from trchat.text.one_line import one_line

DEFAULT_CTX = 4096
"""Tokens, unless told otherwise, and where the model can."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The model to load and the settings to load it with. ``ctx`` in tokens."""

    model: Model
    header: Header
    settings: Settings
    config: ConfigFile
    ctx: int


def prepare(flags: Mapping[str, object]) -> Prepared:
    """Read the configuration, find the model, settle the settings. Raises UsageError or ModelError."""
    config = load_config()
    flags = {**flags, **_system_from_file(flags)}
    named = settle(flags, config=config)
    model = resolve_model(named.model)
    header = read_header(model.path)
    recommended = {**recommended_sampling(header), **_packaged(model)}
    settings = settle(flags, config=config, model_names=_model_names(model), recommended=recommended)
    ctx = settings.ctx or min(DEFAULT_CTX, model.card.context or DEFAULT_CTX)
    return Prepared(model, header, settings, config, ctx)


def note_used(prepared: Prepared) -> None:
    """Remember that this model was loaded: whoever names none next time means it.

    The demo model has to be asked for by name to be remembered: else it would stand in front of the first
    model that somebody gets after trying it.
    """
    if prepared.settings.model is not None or prepared.model.source != DEMO:
        last_used.note(prepared.model.path)


def warnings(prepared: Prepared) -> list[str]:
    """What to say before the model is loaded, one line each: it will not fit into the memory that is free
    now; the context is longer than any text the model was trained on."""
    settings = prepared.settings
    # How much of it other machines take is known, and told, when they have been asked.
    free = None if settings.rpc else free_memory()
    no_room = memory_warning(prepared.header, prepared.ctx, settings.cache_type, free, settings.flash_attn)
    trained = prepared.model.card.context
    too_long = (
        f"{prepared.model.name} was trained on at most {trained} tokens, the context holds {prepared.ctx}: "
        "text beyond that is likely to be misread"
    )
    return ([no_room] if no_room else []) + ([too_long] if 0 < trained < prepared.ctx else [])


def _system_from_file(flags: Mapping[str, object]) -> dict[str, str]:
    """The system prompt that ``--system @FILE`` names. Raises UsageError where it cannot be read."""
    system = flags.get("system")
    if not isinstance(system, str) or not system.startswith("@"):
        return {}
    name = one_line(system[1:])
    try:
        raw = user_path(system[1:]).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--system @FILE reads a file; cannot read {name}: {reason}") from None
    return {"system": decode_text(raw, name).strip()}


def _packaged(model: Model) -> dict[str, Value]:
    """What Ollama keeps beside a model: its system prompt and parameters, as far as they can stand here."""
    found: dict[str, Value] = {}
    for name, value in ollama.recommended(model.name).items() if model.source == ollama.SOURCE else ():
        with suppress(ValueError):
            found[name] = SETTINGS[name].check(value)
    return found


def _model_names(model: Model) -> tuple[str, str]:
    """The names that ``[model.NAME]`` may use a part of: the catalogue's, and the file's."""
    return model.name, model.path.name
