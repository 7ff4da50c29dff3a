"""How many of a model's layers go onto the GPUs that are there, other machines' counted, and onto which."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import estimate, weights_by_layer
from trchat.config import Settings
from trchat.errors import ModelError, UsageError
from trchat.llama.device import WHOLE, Gpu, Split, add_machines, gpu_available, gpus
from trchat.llama.model import ALL_LAYERS
from trchat.text.units import byte_size

_LEFT_FREE, _LEFT_FREE_SHARE = 1 << 30, 0.25  # of each GPU, whichever is less: as much as llama.cpp's --fit

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Placement:
    """How many layers, or ALL_LAYERS, are not the processor's, and how they are shared out."""

    layers: int
    split: Split = WHOLE


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes: of each layer with its part of the KV cache, of the output, and of what each GPU computes in."""

    layers: list[int]
    output: int
    compute: int


def place(settings: Settings, path: Path, ctx: int, tell: Tell) -> Placement:
    """Decide for the model at ``path`` with a context of ``ctx`` tokens; connects to other machines.

    ``--gpu-layers auto`` takes as many as fit, and tells where those are not all; it takes all where nobody
    can say what fits. Tells as well how much memory other machines are asked for. Raises ModelError when one
    of them cannot be used, and UsageError for GPUs that there are not.
    """
    wanted = settings.gpu_layers
    if settings.rpc:
        if wanted == "0":
            raise UsageError("--gpu-layers 0 leaves nothing for other machines (--rpc) to do")
        add_machines(settings.rpc.split(","))
    found = (gpus() or []) if gpu_available() else []
    split = _split(settings, found, tell)
    if not gpu_available() or wanted == "0":
        return Placement(0)
    used = [found[split.main_gpu]] if split.mode == "none" and found else found
    shares = split.shares if split.mode != "none" else ()
    sizes = _sizes(settings, path, ctx) if used else None
    layers = ALL_LAYERS if wanted in ("all", "auto") else int(wanted)
    if wanted == "auto" and sizes is not None:
        layers = _fitting(sizes, used, shares, tell)
    if sizes is not None and any(each.remote for each in used):
        tell(_told(sizes, layers, used, shares))
    return Placement(layers, split)


def _split(settings: Settings, found: Sequence[Gpu], tell: Tell) -> Split:
    """What the settings say of sharing, checked against the GPUs that were ``found``."""
    names = ", ".join(each.name for each in found)
    there = f"there {'is' if len(found) == 1 else 'are'} {len(found)}: {names}"
    shares = tuple(map(float, settings.tensor_split.split(","))) if settings.tensor_split else ()
    main, mode = settings.main_gpu, settings.split_mode
    if not found:
        if shares or main is not None:
            tell("there is no GPU here that could be told of: --tensor-split and --main-gpu change nothing")
        return WHOLE
    if shares and len(shares) != len(found):
        raise UsageError(f"--tensor-split says what {len(shares)} get, {there}")
    if main is not None and main >= len(found):
        raise UsageError(f"--main-gpu {main} is not there, counted from 0; {there}")
    if mode == "row" and any(each.remote for each in found):
        raise UsageError("--split-mode row is for the GPUs of one machine, without --rpc")
    if main is not None and mode != "none":
        tell("--main-gpu counts with --split-mode none only")
    if shares and mode == "none":
        tell("--tensor-split does not count with --split-mode none")
    return Split(mode, main or 0, shares)


def _sizes(settings: Settings, path: Path, ctx: int) -> _Sizes | None:
    """What the model at ``path`` takes; None where the catalogue cannot say."""
    try:
        header = read_header(path)
        weights = weights_by_layer(header)
        need = estimate(header, ctx, settings.cache_type, settings.flash_attn, on_gpu=True)
    except ModelError:  # llama.cpp may know more kinds of files than the catalogue
        return None
    if weights is None:
        return None
    layers, output = weights
    for index, cache in enumerate(need.layers):
        layers[index % len(layers)] += cache  # what runs through its layers again keeps more in each
    return _Sizes(layers, output, need.compute)


def _fitting(sizes: _Sizes, used: Sequence[Gpu], shares: Sequence[float], tell: Tell) -> int:
    """As many layers as fit onto the GPUs that are ``used``; ALL_LAYERS where that is not known."""
    free = [each.free for each in used if each.free is not None]
    if len(free) < len(used):
        return ALL_LAYERS
    found = fitting(sizes.layers, sizes.output, sizes.compute, free, shares)
    if found == len(sizes.layers):
        return ALL_LAYERS
    tell(
        f"{found} of {len(sizes.layers)} layers fit onto the GPU: all would take about "
        f"{byte_size(sum(sizes.layers) + sizes.output + sizes.compute)}, {byte_size(sum(free))} are free "
        "(a smaller -c or --cache-type q8_0 makes more fit)"
    )
    return found


def fitting(
    layers: Sequence[int], output: int, compute: int, free: Sequence[int], shares: Sequence[float] = ()
) -> int:
    """How many of ``layers`` fit, counted from the last, as llama.cpp counts; all sizes in bytes.

    Each of the GPUs, with ``free`` bytes each, needs ``compute`` as well. llama.cpp deals layers out by
    ``shares``, or else by what is free, so the GPU with the least left for its share decides. There is always
    room for the ``output`` too: newer versions of llama.cpp count it as the last layer, older ones as the
    first.
    """
    left = [max(each - compute - min(_LEFT_FREE, int(each * _LEFT_FREE_SHARE)), 0) for each in free]
    dealt = [(room, share) for room, share in zip(left, shares or free, strict=True) if share or not shares]
    least = min(room / share if share else 0.0 for room, share in dealt)
    room = int(least * sum(share for _, share in dealt)) - output
    room -= (len(dealt) - 1) * max(layers)  # layers are dealt out whole
    for number, size in enumerate(reversed(layers)):
        room -= size
        if room < 0:
            return number
    return len(layers)


def dealt_out(count: int, shares: Sequence[float]) -> list[int]:
    """How many of ``count`` layers, the output's counted, each GPU gets, as llama.cpp deals them out."""
    ends = [end / sum(shares) for end in accumulate(shares)]
    places = [min(bisect_right(ends, number / count), len(shares) - 1) for number in range(count)]
    return [places.count(gpu) for gpu in range(len(shares))]


def _told(sizes: _Sizes, layers: int, used: Sequence[Gpu], shares: Sequence[float]) -> str:
    """Who computes how many layers, in how much memory."""
    whole = [*sizes.layers, sizes.output]
    count = len(whole) if layers == ALL_LAYERS else min(layers, len(whole))
    by_free = [float(each.free or 0) for each in used]
    counts = dealt_out(count, shares or (by_free if any(by_free) else [1.0] * len(used)))
    parts, start = [], len(whole) - count
    if start:
        parts.append(f"this processor {start} of {len(whole)} layers")
    for gpu, number in zip(used, counts, strict=True):
        need = sum(whole[start : start + number]) + sizes.compute if number else 0
        free = "" if gpu.free is None else f" of {byte_size(gpu.free)} that are free"
        parts.append(f"{gpu.name} {number} of {len(whole)} layers, about {byte_size(need)}{free}")
        start += number
    return "; ".join(parts)
