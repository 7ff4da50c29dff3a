"""What computes: step times measured on one device say nothing about another."""

import ctypes
import platform
from pathlib import Path

import llama_cpp
from llama_cpp import llama_cpp as llama

from trchat.llama.log import system_info

_GPU, _SHARED_GPU = 1, 2  # enum ggml_backend_dev_type


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


def free_on_gpus() -> list[int]:
    """Free bytes of each GPU that llama.cpp would use now; empty where there is none or they cannot be known.

    As llama.cpp does: one that shares the processor's memory is used only where there is no other.
    """
    library = llama._lib
    try:
        count, get = library.ggml_backend_dev_count, library.ggml_backend_dev_get
        kind, memory = library.ggml_backend_dev_type, library.ggml_backend_dev_memory
    except AttributeError:
        return []
    count.restype = ctypes.c_size_t
    get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
    kind.argtypes, kind.restype = [ctypes.c_void_p], ctypes.c_int
    size = ctypes.POINTER(ctypes.c_size_t)
    memory.argtypes, memory.restype = [ctypes.c_void_p, size, size], None
    found: dict[int, list[int]] = {_GPU: [], _SHARED_GPU: []}
    for device in (get(index) for index in range(count())):
        if kind(device) in found:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            memory(device, ctypes.byref(free), ctypes.byref(total))
            if not total.value:  # its driver does not say
                return []
            found[kind(device)].append(free.value)
    return found[_GPU] or found[_SHARED_GPU][:1]


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace").strip()
