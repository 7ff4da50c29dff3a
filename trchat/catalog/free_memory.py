"""How much memory a new program could take right now, on each system."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_COMMAND_TIMEOUT = 2.0


def free_memory() -> int | None:
    """Bytes that can be had without swapping (disk cache counts as free); None where that cannot be known."""
    try:
        if sys.platform == "linux":
            return _linux()
        if sys.platform == "darwin":
            return free_in_vm_stat(_output("vm_stat"))
        if sys.platform == "win32":
            return _windows()
    except (OSError, ValueError, subprocess.SubprocessError):
        pass  # an estimate is a service, never a reason to fail
    return None


def free_in_meminfo(text: str) -> int | None:
    """``MemAvailable`` of Linux's /proc/meminfo, in bytes."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def free_in_vm_stat(text: str) -> int | None:
    """Free, inactive, speculative and purgeable pages of macOS' vm_stat, in bytes."""
    page = re.search(r"page size of (\d+) bytes", text)
    pages = re.findall(r"^Pages (?:free|inactive|speculative|purgeable):\s+(\d+)\.", text, re.MULTILINE)
    return int(page[1]) * sum(map(int, pages)) if page and pages else None


def _linux() -> int | None:
    free = free_in_meminfo(_MEMINFO.read_text(encoding="ascii", errors="replace"))
    left = _cgroup_left(_CGROUP)
    return left if free is None else free if left is None else min(free, left)


def _cgroup_left(folder: Path) -> int | None:
    """What a container (cgroup v2) may still take; None without a limit."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cache = re.search(
            r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(encoding="ascii"), re.M
        )
    except (OSError, ValueError):
        return None
    if not limit.isdigit():
        return None
    return max(int(limit) - used + (int(cache[1]) if cache else 0), 0)


def _output(command: str) -> str:
    return subprocess.run(
        [command],
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout


class _MemoryStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("total_page_file", ctypes.c_uint64),
        ("available_page_file", ctypes.c_uint64),
        ("total_virtual", ctypes.c_uint64),
        ("available_virtual", ctypes.c_uint64),
        ("available_extended_virtual", ctypes.c_uint64),
    )


def _windows() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    kernel32 = getattr(ctypes, "windll").kernel32  # noqa: B009 - exists on Windows only, and mypy runs elsewhere
    return int(status.available) if kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
