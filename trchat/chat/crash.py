"""What ended an engine's process, in words."""

import re
import signal
from collections.abc import Sequence

from trchat.machines import without_answer

_POSIX = {
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error: the file may have become shorter, or the disk fails",
    "SIGFPE": "an arithmetic fault",
    "SIGILL": "an instruction that this processor does not have",
    "SIGKILL": "killed by the system, most likely for want of memory",
    "SIGXCPU": "its processor time was used up",
}
_WINDOWS = {
    0xC0000005: "an access violation",
    0xC0000094: "an arithmetic fault",
    0xC000001D: "an instruction that this processor does not have",
    0xC00000FD: "its stack was used up",
    0xC0000409: "it aborted itself",
    3: "it aborted itself",
}
_ASSERTION = re.compile(r"(?:.*[/\\])?([\w.+-]+:\d+): (GGML_ASSERT\(.*\) failed|.+)")
_UNCAUGHT = re.compile(r"terminate called after throwing an instance of '([^']*)'|what\(\): *(.*)")
_LOST_MACHINE = re.compile(
    r"Remote RPC server crashed or returned malformed response|RPC handshake failed for|Failed to connect to"
)
_OTHER_VERSION = re.compile(r"RPC handshake failed for ([^\s:]+:\d+)")
_VERSION = re.compile(r"RPC server version mismatch: ([\d.]+)")
_LONGEST = 160


def describe_end(code: int, doing: str, printed: Sequence[str]) -> str:
    """One line: that llama.cpp crashed ``doing`` something, how, and the last it ``printed``.

    ``code`` is the process's exit code, negative for the number of a signal.
    """
    return f"llama.cpp crashed {doing}: {_how(code, printed)}"


def describe_loss(machines: Sequence[str], doing: str, printed: Sequence[str]) -> str | None:
    """One line: which of the ``machines`` that computed along was lost ``doing`` something.

    None where llama.cpp did not ``print`` that this was what ended it.
    """
    if not machines or not any(_LOST_MACHINE.search(line) for line in printed):
        return None
    for line in printed:
        if found := _OTHER_VERSION.search(line):
            versions = [told[1] for each in printed if (told := _VERSION.search(each))]
            version = f" ({versions[-1]})" if versions else ""
            return (
                f"{found[1]} speaks another version of llama.cpp's RPC protocol{version}: "
                "build ggml-rpc-server there from the llama.cpp that is here"
            )
    gone = without_answer(machines)
    if gone:
        return f"{' and '.join(gone)} went away {doing}"
    return f"the connection to {' or '.join(machines)} broke {doing}"


def _how(code: int, printed: Sequence[str]) -> str:
    reason = _reason(printed)
    if code & 0xFFFFFFFF in _WINDOWS:
        return reason or f"{_WINDOWS[code & 0xFFFFFFFF]}{_last(printed)}"
    if code >= 0:
        return reason or f"its process ended with code {code}{_last(printed)}"
    name = _signal_name(-code)
    if name == "SIGABRT":
        return reason or f"it aborted itself{_last(printed)}"
    return f"{_POSIX.get(name, f'ended by {name}')}{_last(printed)}"


def _reason(printed: Sequence[str]) -> str:
    """What an assertion or an uncaught C++ exception says of itself; empty where there is none."""
    for line in reversed(printed):
        found = _ASSERTION.fullmatch(line.strip())
        if found:
            return _short(f"{found[2]} ({found[1]})")
    said = [part for line in printed if (found := _UNCAUGHT.search(line)) for part in found.groups() if part]
    return _short(": ".join(said)) if said else ""


def _last(printed: Sequence[str]) -> str:
    line = next((each for each in reversed(printed) if each.strip(" .")), "")
    return f" (its log ends with: {_short(line)})" if line else ""


def _short(line: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in line).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
