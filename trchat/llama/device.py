"""What computes: step times measured on one device say nothing about another."""

import ctypes
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
from llama_cpp import llama_cpp as llama

from trchat.errors import ModelError
from trchat.llama.log import system_info
from trchat.machines import fault_of

_GPU, _SHARED_GPU = 1, 2  # enum ggml_backend_dev_type
_WITHOUT_RPC = (
    "this build of llama.cpp cannot use other machines (--rpc): install it with "
    'CMAKE_ARGS="-DGGML_RPC=on" (see docs/machines.md)'
)


def processor() -> str:
    """The processor's name, as well as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def backend() -> str:
    """What llama.cpp was built with and found, on this processor."""
    return f"{processor()} | {', '.join(devices())} | {system_info()}"


def build_version() -> str:
    """The version of llama-cpp-python in use, wherever it was taken from."""
    return str(llama_cpp.__version__)


def devices() -> list[str]:
    """What llama.cpp can compute on, such as ``CPU: AMD EPYC`` or ``CUDA0: NVIDIA H200``; or nothing."""
    library = llama._lib  # whichever build is in use; it brings ggml's functions along
    try:
        count, get = library.ggml_backend_dev_count, library.ggml_backend_dev_get
        name, description = library.ggml_backend_dev_name, library.ggml_backend_dev_description
    except AttributeError:  # not on Windows, where each library only tells its own
        return []
    count.restype = ctypes.c_size_t
    get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
    for function in (name, description):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    found = (get(index) for index in range(count()))
    return [f"{_text(name(device))}: {_text(description(device))}" for device in found]


@dataclass(frozen=True, slots=True)
class Gpu:
    """What llama.cpp can put layers on: a GPU, or a device of another machine.

    Attributes:
        name: such as ``CUDA0``, or the machine's address.
        free: bytes that are free; None where its driver does not say.
        remote: whether it is another machine's.
    """

    name: str
    free: int | None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """How the layers that are not the processor's are shared out (see llama.cpp's flags of these names).

    Attributes:
        mode: ``layer``, ``row`` or ``none``.
        main_gpu: which one it is where the mode is ``none``.
        shares: how much each gets, in any unit; empty = by what is free.
    """

    mode: str = "layer"
    main_gpu: int = 0
    shares: tuple[float, ...] = ()


WHOLE = Split()
"""llama.cpp's own choice."""


def gpus() -> list[Gpu] | None:
    """What llama.cpp would put layers on now, in its order; None where the library does not tell.

    Other machines come first. A GPU that shares the processor's memory is used only where there is no other.
    """
    library = llama._lib
    try:
        count, get = library.ggml_backend_dev_count, library.ggml_backend_dev_get
        kind, memory = library.ggml_backend_dev_type, library.ggml_backend_dev_memory
        name, description = library.ggml_backend_dev_name, library.ggml_backend_dev_description
        registry, registry_name = library.ggml_backend_dev_backend_reg, library.ggml_backend_reg_name
    except AttributeError:
        return None
    count.restype = ctypes.c_size_t
    get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
    kind.argtypes, kind.restype = [ctypes.c_void_p], ctypes.c_int
    size = ctypes.POINTER(ctypes.c_size_t)
    memory.argtypes, memory.restype = [ctypes.c_void_p, size, size], None
    registry.argtypes, registry.restype = [ctypes.c_void_p], ctypes.c_void_p
    for function in (name, description, registry_name):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    found: dict[str, list[Gpu]] = {"remote": [], "gpu": [], "shared": []}
    for device in (get(index) for index in range(count())):
        if kind(device) not in (_GPU, _SHARED_GPU):
            continue
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        remote = _text(registry_name(registry(device))).startswith("RPC")
        told = _text(description(device) if remote else name(device))
        where = "remote" if remote else "gpu" if kind(device) == _GPU else "shared"
        found[where].append(Gpu(told, free.value if total.value else None, remote))
    return [*found["remote"], *(found["gpu"] or found["shared"])]


def gpu_available() -> bool:
    """Whether this build of llama.cpp can put layers on a GPU that is there, or on another machine."""
    # A build that can use other machines says that it can, whether it has been told of any or not.
    return bool(llama.llama_supports_gpu_offload()) and gpus() != []


def add_machines(machines: Sequence[str]) -> None:
    """Have other machines (``HOST:PORT``), on which ggml-rpc-server runs, compute along.

    Raises ModelError where this build of llama.cpp cannot do that, or one of them is not there; llama.cpp
    ends the process where one speaks another version of its protocol.
    """
    library = llama._lib
    try:
        find, address_of = library.ggml_backend_reg_by_name, library.ggml_backend_reg_get_proc_address
        register = library.ggml_backend_register
    except AttributeError:
        raise ModelError(_WITHOUT_RPC) from None
    find.argtypes, find.restype = [ctypes.c_char_p], ctypes.c_void_p
    address_of.argtypes, address_of.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_void_p
    register.argtypes, register.restype = [ctypes.c_void_p], None
    registry = find(b"RPC")
    address = registry and address_of(registry, b"ggml_backend_rpc_add_server")
    if not address:
        raise ModelError(_WITHOUT_RPC)
    add = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(address)
    for machine in machines:
        if fault := fault_of(machine):
            raise ModelError(fault)
    for machine in machines:
        devices = add(machine.encode())
        if not devices:
            raise ModelError(f"{machine} offers nothing to compute on")
        register(devices)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace").strip()
