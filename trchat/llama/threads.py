"""How many CPU threads a model should run on."""

import os
import sys
from pathlib import Path


def physical_cores() -> int:
    """Number of physical cores this process may use; at least 1.

    Two hardware threads of one core share its arithmetic units, so llama.cpp is fastest with one thread
    per core. Where the topology is not told, half of the logical processors is taken on x86 Windows.
    """
    logical = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(_cores_by_topology() or logical, logical))


def _cores_by_topology() -> int | None:
    if sys.platform == "linux":
        siblings = {
            file.read_text(encoding="ascii").strip()
            for cpu in os.sched_getaffinity(0)
            if (file := Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")).exists()
        }
        return len(siblings) or None
    if sys.platform == "darwin":
        # Efficiency cores would hold the fast ones back: every thread waits for the slowest.
        return _sysctl("hw.perflevel0.physicalcpu") or _sysctl("hw.physicalcpu")
    if sys.platform == "win32":
        return max(1, (os.cpu_count() or 2) // 2)
    return None


def _sysctl(name: str) -> int | None:
    import ctypes

    try:
        libc = ctypes.CDLL(None)
        value, size = ctypes.c_int(0), ctypes.c_size_t(4)
        failed = libc.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    except (OSError, AttributeError):
        return None
    return None if failed else value.value or None
