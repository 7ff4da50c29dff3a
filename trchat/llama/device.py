"""What computes: step times measured on one device say nothing about another."""

import platform
from pathlib import Path

from trchat.llama.log import system_info


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
    return f"{processor()} | {system_info()}"
