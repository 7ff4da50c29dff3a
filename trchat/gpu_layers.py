"""How many of a model's layers go onto the GPUs that are there."""

from collections.abc import Callable, Sequence
from pathlib import Path

from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import estimate, weights_by_layer
from trchat.errors import ModelError
from trchat.llama.device import free_on_gpus
from trchat.llama.model import ALL_LAYERS, gpu_available
from trchat.text.units import byte_size

_LEFT_FREE, _LEFT_FREE_SHARE = 1 << 30, 0.25  # of each GPU, whichever is less: as much as llama.cpp's --fit


def gpu_layers(
    wanted: str, path: Path, ctx: int, cache_type: str, flash_attn: str, tell: Callable[[str], None]
) -> int:
    """What ``--gpu-layers`` means for the model at ``path``: a number of layers, or ALL_LAYERS.

    ``auto`` takes as many as fit with a context of ``ctx`` tokens, and tells where those are not all; it
    takes all where it cannot be known what fits.
    """
    if not gpu_available():
        return 0
    if wanted != "auto":
        return ALL_LAYERS if wanted == "all" else int(wanted)
    free = free_on_gpus()
    if not free:
        return ALL_LAYERS
    try:
        header = read_header(path)
        weights = weights_by_layer(header)
        need = estimate(header, ctx, cache_type, flash_attn, on_gpu=True)
    except ModelError:  # llama.cpp may know more kinds of files than the catalogue
        return ALL_LAYERS
    if weights is None:
        return ALL_LAYERS
    layers, output = weights
    for index, cache in enumerate(need.layers):
        layers[index % len(layers)] += cache  # what runs through its layers again keeps more in each
    found = fitting(layers, output, need.compute, free)
    if found < len(layers):
        tell(
            f"{found} of {len(layers)} layers fit onto the GPU: all would take about "
            f"{byte_size(sum(layers) + output + need.compute)}, {byte_size(sum(free))} are free "
            "(a smaller -c or --cache-type q8_0 makes more fit)"
        )
        return found
    return ALL_LAYERS


def fitting(layers: Sequence[int], output: int, compute: int, free: Sequence[int]) -> int:
    """How many of ``layers`` fit, counted from the last, as llama.cpp counts; all sizes in bytes.

    Each of the GPUs, with ``free`` bytes each, needs ``compute`` as well. llama.cpp deals layers out by what
    is free, so the GPU with the least left for them decides. There is always room for the ``output`` too:
    newer versions of llama.cpp count it as the last layer, older ones as the first.
    """
    left = [each - compute - min(_LEFT_FREE, int(each * _LEFT_FREE_SHARE)) for each in free]
    share = min(max(room, 0) / each if each else 0.0 for room, each in zip(left, free, strict=True))
    room = int(share * sum(free)) - output
    room -= (len(free) - 1) * max(layers)  # layers are dealt out whole
    for number, size in enumerate(reversed(layers)):
        room -= size
        if room < 0:
            return number
    return len(layers)
