"""The settings in force: flags > environment > file > the model's own recommendation > defaults."""

import dataclasses
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from trchat.config_file import FILE_NAME, ConfigFile, Placed, load_config
from trchat.config_rules import SETTINGS, Value, spelled
from trchat.errors import UsageError
from trchat.text.one_line import one_line

ENVIRONMENT_PREFIX = "TRCHAT_"
FROM_MODEL = "the model's file"
FROM_NOWHERE = "default"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with a value; None is "not chosen" and left to whoever uses it.

    ``ctx``, ``max_tokens``, ``think_budget`` in tokens; ``gpu_layers`` a number as text, ``all`` or ``auto``;
    ``tensor_split`` numbers and ``rpc`` addresses, with commas; ``kv_disk`` a size as text, or ``auto``;
    ``template_arg`` a JSON object as text, ``stop`` a JSON list; ``seed`` None is random. ``origins`` says
    for each field where its value comes from.
    """

    model: str | None = None
    system: str | None = None
    temp: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int | None = None
    max_tokens: int | None = None
    ctx: int | None = None
    threads: int | None = None
    gpu_layers: str = "auto"
    cache_type: str = "f16"
    flash_attn: str = "auto"
    kv_disk: str = "auto"
    draft: str = "auto"
    recall: str = "on"
    template: str | None = None
    think: str = "auto"
    think_budget: int | None = None
    template_arg: str = "{}"
    stop: str = "[]"
    split_mode: str = "layer"
    tensor_split: str | None = None
    main_gpu: int | None = None
    rpc: str | None = None
    theme: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)


def settle(
    flags: Mapping[str, object],
    *,
    config: ConfigFile | None = None,
    environ: Mapping[str, str] | None = None,
    model_names: Collection[str] = (),
    recommended: Mapping[str, Value] | None = None,
) -> Settings:
    """Lay the layers over one another.

    ``flags`` is ``vars(args)``: what the user said, and whatever else argparse keeps there. ``model_names``
    are the names the model is known by, for ``[model.NAME]``; ``recommended`` is what its file recommends.
    Raises UsageError for a file or an environment variable that is wrong.
    """
    config = load_config() if config is None else config
    layers = (
        {name: (value, FROM_MODEL) for name, value in (recommended or {}).items() if name in SETTINGS},
        _placed(config.values),
        _placed(config.for_model(model_names)),
        _from_environment(os.environ if environ is None else environ),
        _from_flags(flags),
    )
    values: dict[str, Any] = {}
    origins = dict.fromkeys(SETTINGS, FROM_NOWHERE)
    for layer in layers:
        for name, (value, origin) in layer.items():
            values[name], origins[name] = value, origin
    return Settings(**values, origins=origins)


def setting_names() -> tuple[str, ...]:
    """The fields of Settings in order, ``origins`` left out."""
    return tuple(each.name for each in dataclasses.fields(Settings) if each.name != "origins")


def _placed(values: Mapping[str, Placed]) -> dict[str, tuple[Value, str]]:
    return {name: (placed.value, f"{FILE_NAME}:{placed.line}") for name, placed in values.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Value, str]]:
    found: dict[str, tuple[Value, str]] = {}
    for name, rule in SETTINGS.items():
        variable = ENVIRONMENT_PREFIX + name.upper()
        text = environ.get(variable, "")
        if not text:  # set to nothing is the shell's way to unset
            continue
        try:
            found[name] = (spelled(rule, text), variable)
        except ValueError:
            raise UsageError(f"{variable} must be {rule.meaning}, not {one_line(text)!r}") from None
    return found


def _from_flags(flags: Mapping[str, object]) -> dict[str, tuple[Value, str]]:
    return {
        name: (value, "--" + name.replace("_", "-"))
        for name, value in flags.items()
        if name in SETTINGS and isinstance(value, (str, int, float))
    }
