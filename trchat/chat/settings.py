"""What the settings mean to an engine, told without llama.cpp."""

import json
from dataclasses import dataclass
from pathlib import Path

from trchat.chat.template import CHATML
from trchat.chat.thinking_switch import Prompting
from trchat.config import Settings
from trchat.errors import UsageError
from trchat.llama.sampling import Sampling
from trchat.paths import user_path
from trchat.text.decode import decode_text
from trchat.text.one_line import one_line


@dataclass(frozen=True, slots=True)
class Remember:
    """What to do with the user's store.

    Attributes:
        read: start from it.
        write: add to it.
        memory: bytes of what the model has read that are held in memory, for conversations in turn.
    """

    read: bool = True
    write: bool = True
    memory: int = 0


LONGEST_TEMPLATE = 1_000_000
"""Bytes; the longest that come with models have some ten thousand."""
REMEMBER = Remember()
"""Read and write the user's store."""


def template_source(setting: str | None) -> str | None:
    """The Jinja source that ``--template`` names; None is the model's own. Raises UsageError."""
    if setting is None or setting == "chatml":
        return setting and CHATML
    try:
        with user_path(setting).open("rb") as file:
            raw = file.read(LONGEST_TEMPLATE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"--template is 'chatml' or a file; cannot read {one_line(setting)}: {reason}"
        ) from None
    if len(raw) > LONGEST_TEMPLATE:  # /dev/zero has no end
        raise UsageError(
            f"{one_line(setting)} is not a template: it is longer than {LONGEST_TEMPLATE:,} bytes"
        )
    return decode_text(raw, one_line(setting))


def stops_of(settings: Settings) -> tuple[str, ...]:
    """The texts that end an answer."""
    return tuple(json.loads(settings.stop))


def sampling_of(settings: Settings, seed: int, grammar: str = "", schema: str = "") -> Sampling:
    """The sampler chain's part of the settings; and what the answer must follow, if anything."""
    return Sampling(
        temperature=settings.temp,
        top_k=settings.top_k,
        top_p=settings.top_p,
        min_p=settings.min_p,
        repeat_penalty=settings.repeat_penalty,
        seed=seed,
        grammar=grammar,
        schema=schema,
    )


def kept_settings(settings: Settings, path: Path, sampling: Sampling) -> dict[str, object]:
    """What is saved with an answer by the model at ``path``, by which it can be given again."""
    return {
        "path": str(path.absolute()),
        "draft": settings.draft,
        "temp": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "think": settings.think,
        "think_budget": settings.think_budget,
        "template_arg": settings.template_arg,
        "seed": sampling.seed,
    }


def prompting_of(settings: Settings) -> Prompting:
    """The prompt's part of the settings."""
    return Prompting(settings.think, settings.think_budget, json.loads(settings.template_arg))
