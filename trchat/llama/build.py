"""What llama.cpp was built for and finds here, asked in a child process.

A build for a newer processor dies at its first instruction that this one lacks, and a broken one cannot be
loaded at all: whoever asks what is wrong should get an answer and not the same end.
"""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Build:
    """A build of llama.cpp on this machine.

    Attributes:
        features: instruction sets and options, as llama.cpp prints them; empty when it could not be asked.
        processor: the CPU's name, as the system tells it.
        cores: physical cores that a model runs on.
        devices: what it can compute on, such as ``CPU: AMD Ryzen 7`` or ``CUDA0: NVIDIA H200``.
        gpu: whether it can use a GPU.
        amx: whether its AMX kernels run; None where it has none.
        failure: why it could not be asked, in one line; None when it could.
    """

    features: str = ""
    processor: str = ""
    cores: int = 0
    devices: tuple[str, ...] = ()
    gpu: bool = False
    amx: bool | None = None
    failure: str | None = None


def describe_build() -> Build:
    """Ask the installed build of llama.cpp; takes about half a second and never raises."""
    # Started beside the package, so that no stray module in the user's folder is imported.
    beside = Path(__file__).parents[2]
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
            cwd=beside,
        )
        if child.returncode:
            return Build(failure=_why(child.returncode, child.stderr))
        told = json.loads(child.stdout)
        return Build(**{**told, "devices": tuple(told["devices"])}, amx=_amx(told["features"]))
    except subprocess.TimeoutExpired:
        return Build(failure=f"gave no answer within {_TIMEOUT_S} seconds")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Build(failure=f"cannot be asked: {error}")


def _why(code: int, errors: str) -> str:
    illegal = getattr(signal, "SIGILL", None)
    # Windows reports STATUS_ILLEGAL_INSTRUCTION as an unsigned exit code.
    if code == 0xC000001D or (illegal is not None and code == -illegal):
        return "crashes: it was built for a newer processor than this one; install it from source"
    if code < 0:
        return f"crashes with {signal.Signals(-code).name}"
    lines = errors.strip().splitlines()
    return f"cannot be loaded: {lines[-1]}" if lines else f"ends with exit code {code}"


def _amx(features: str) -> bool | None:
    """Whether the AMX kernels run, None without any. Loads llama.cpp, which a child has survived by now."""
    from trchat.llama.amx_probe import amx_kernels_work

    return amx_kernels_work() if "AMX_INT8 = 1" in features else None


def _answer() -> dict[str, object]:
    from trchat.llama.device import devices, gpu_available, processor
    from trchat.llama.log import system_info
    from trchat.llama.threads import physical_cores

    return {
        "features": system_info(),
        "processor": processor(),
        "cores": physical_cores(),
        "devices": devices(),
        "gpu": gpu_available(),
    }


if __name__ == "__main__":
    print(json.dumps(_answer()))
