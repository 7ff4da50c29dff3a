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

    ``gpu_layers`` of ``layers`` are on a GPU, llama.cpp's output layer counted.

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
        "gpu_layers": engine.model.gpu_layers,
        "layers": engine.model.layers,
        "context": engine.context.n_ctx,
    }


def conditions(report: dict[str, Any]) -> str:
    """Model and machine of a report, in one line."""
    return f"{report['settings']['model']} · {computed_by(report['machine'])}"


def computed_by(machine: dict[str, Any]) -> str:
    """What computed, of a machine as ``describe_machine`` tells it: the GPU with its layers, or the CPU.

    Older records do not have the layers.
    """
    threads = f"{machine['threads']} thread{'' if machine['threads'] == 1 else 's'}"
    gpus = [device.partition(": ")[2] for device in machine["devices"] if not device.startswith("CPU")]
    if not (machine["on_gpu"] and gpus):
        return f"{machine['processor']}, {threads}"
    if "gpu_layers" not in machine:
        return str(gpus[0])
    return f"{gpus[0]} ({machine['gpu_layers']} of {machine['layers']} layers), {threads}"
