"""What a measurement was made on: without it, a speed says nothing."""

import platform
from typing import Any

from trchat import __version__
from trchat.catalog.card import ModelCard
from trchat.chat.engine import Engine
from trchat.llama.device import build_version, devices, processor
from trchat.llama.log import system_info
from trchat.text.units import parameter_count


def describe_machine(engine: Engine, card: ModelCard) -> dict[str, Any]:
    """Processor, threads, build, and model, as the bench's JSON has them.

    What the model is comes from its ``card``: llama.cpp guesses its size from the number of layers.
    """
    return {
        "trchat": __version__,
        "llama_cpp_python": build_version(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": processor(),
        "devices": devices(),
        "threads": engine.context.threads,
        "llama_cpp": system_info(),
        "model": engine.model.name,
        "architecture": f"{card.architecture} {parameter_count(card.parameters)} {card.quantisation}",
        "cache_type": engine.context.options.cache_type,
        "on_gpu": engine.context.options.on_gpu,
        "context": engine.context.n_ctx,
    }
