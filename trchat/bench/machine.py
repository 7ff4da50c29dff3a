"""What a measurement was made on: without it, a speed says nothing."""

import platform
from typing import Any

from trchat import __version__
from trchat.catalog.card import ModelCard
from trchat.chat.engine import Engine
from trchat.llama.device import build_version, devices, processor
from trchat.llama.log import system_info
from trchat.recycling.kernel import KERNEL
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
        "drafting": "in Python" if KERNEL is None else "compiled",
        "system": platform.system(),
        "processor": processor(),
        "devices": devices(),
        "threads": engine.context.threads,
        "llama_cpp": system_info(),
        "model": engine.model.name,
        "architecture": f"{card.architecture} {parameter_count(card.parameters)} {card.quantisation}",
        "cache_type": engine.context.options.cache_type,
        "flash_attn": engine.context.attention.flash,
        "rounds_alike": engine.context.attention.alike,
        "on_gpu": engine.context.options.on_gpu,
        "gpu_layers": engine.model.gpu_layers,
        "layers": engine.model.layers,
        "context": engine.context.n_ctx,
    }


def conditions(report: dict[str, Any]) -> str:
    """Model and machine of a report, in one line."""
    return f"{report['settings']['model']} · {device(report['machine'])}"


def computed_by(machine: dict[str, Any]) -> str:
    """What computed, of a machine as ``describe_machine`` tells it: a GPU or the CPU, layers, threads.

    Older records do not have the layers.
    """
    gpu = _gpu(machine)
    if gpu is None:
        return f"{machine['processor']}, {_threads(machine)}"
    if "gpu_layers" not in machine:
        return gpu
    return f"{gpu} ({machine['gpu_layers']} of {machine['layers']} layers), {_threads(machine)}"


def device(machine: dict[str, Any]) -> str:
    """The same in short, for headings: neither threads nor layers where all layers are on a GPU."""
    gpu = _gpu(machine)
    whole = machine.get("gpu_layers") == machine.get("layers")
    return gpu if gpu is not None and whole else computed_by(machine)


def _gpu(machine: dict[str, Any]) -> str | None:
    gpus = [each.partition(": ") for each in machine["devices"] if not each.startswith("CPU")]
    if not machine["on_gpu"] or not gpus:
        return None
    machines = [told for name, _, told in gpus if name.startswith("RPC")]
    here = [told for name, _, told in gpus if not name.startswith("RPC")][:1]
    return " + ".join([*machines, *here])


def _threads(machine: dict[str, Any]) -> str:
    return f"{machine['threads']} thread{'' if machine['threads'] == 1 else 's'}"
