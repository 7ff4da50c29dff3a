"""What the full-screen chat costs: ``python -m tests.tui.measure`` (POSIX, the demo model, a quiet machine).

Two programs that run one after another are never equally fast, by more than the TUI costs. So the TUI is
compared with itself: within one long answer, stretches in which it draws take turns with stretches in which
what the model writes is kept from it, in the order drawn, silent, silent, drawn, so that it does not matter
that later steps are slower. What ``trchat ask`` does between two steps, writing the text, is timed in a
process of its own and added to the silent steps. The CPU time of the TUI's thread is counted while it draws;
it can be relied on while the machine is busy, too (then better with ``--threads 1``).

In the end the TUI is started again and again, to see after how long a key typed at once is on the screen.
"""

import argparse
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from statistics import mean, median
from typing import Any

SIZE = (40, 120)
"""Rows and columns."""
MARK = "ж"
"""A letter that is on the screen only when it was typed."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=4, help="answers of each program (default 4)")
    parser.add_argument("--tokens", type=int, default=1100, help="tokens of each answer (default 1100)")
    parser.add_argument("--draft", default="off", help="draft mode (default off: every step is the same)")
    parser.add_argument("--threads", default="", help="threads of the model (default as trchat chooses)")
    parser.add_argument("--starts", type=int, default=5, help="cold starts (default 5)")
    parser.add_argument("--lens", action="store_true", help="with the draft lens open")
    args = parser.parse_args()
    ratios = []
    for _ in range(args.runs):
        ask, tui = _run("ask", args), _run("tui", args)
        found = _ratios(tui["stretches"], ask["between_s"])
        ratios += found
        drawn = [each for each in tui["stretches"] if each["drawn"]]
        print(
            f"ask {ask['tokens_per_s']:7.2f} tokens/s, {ask['between_s'] * 1000:.3f} ms between steps   "
            f"tui {sum(each['tokens'] for each in drawn) / sum(each['seconds'] for each in drawn):7.2f}, "
            f"{tui['between_s'] * 1000:.3f} ms   tui/ask {' '.join(f'{ratio:.3f}' for ratio in found)}   "
            f"UI thread {mean(each['ui_s'] / each['seconds'] for each in drawn):.1%} of one core",
            flush=True,
        )
    if ratios:
        print(
            f"tui/ask {median(ratios):.3f} (median of {len(ratios)}, "
            f"{min(ratios):.3f} to {max(ratios):.3f}): the TUI costs {1 - median(ratios):.1%}"
        )
    starts = [_cold_start() for _ in range(args.starts)]
    if starts:
        print(f"first key on the screen after {median(starts):.2f} s (slowest {max(starts):.2f} s)")


def _ratios(stretches: list[dict[str, float]], between_ask_s: float) -> list[float]:
    """The TUI's speed over ``ask``'s, once for each four stretches: drawn, silent, silent, drawn."""
    found = []
    for start in range(0, len(stretches) - 3, 4):
        four = stretches[start : start + 4]
        step_s = {
            drawn: sum(each["seconds"] for each in four if each["drawn"] == drawn)
            / sum(each["steps"] for each in four if each["drawn"] == drawn)
            for drawn in (True, False)
        }
        found.append((step_s[False] + between_ask_s) / step_s[True])
    return found


def _run(which: str, args: argparse.Namespace) -> dict[str, Any]:
    """Write one answer with ``ask`` or in the TUI, in a process and a terminal of its own."""
    with tempfile.TemporaryDirectory() as home:
        result = Path(home) / "result.json"
        command = [sys.executable, "-m", "tests.tui.measured", which, str(result)]
        command += ["lens"] if args.lens and which == "tui" else []
        command += ["-t", "0", "--seed", "1", "-n", str(args.tokens), "--draft", args.draft]
        command += ["--threads", args.threads] if args.threads else []
        _in_terminal(command, {"TRCHAT_HOME": home}, lambda _output: b"")
        found: dict[str, Any] = json.loads(result.read_text("utf-8"))
        return found


def _in_terminal(
    command: list[str], variables: dict[str, str], answer: Callable[[bytes], bytes | None]
) -> None:
    """Run ``command`` in a terminal; ``answer`` gets what it prints and says what to type; None ends."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        while True:
            output = b""
            if select.select([ours], [], [], 0.5)[0]:
                try:
                    output = os.read(ours, 65536)
                except OSError:
                    break
            elif process.poll() is not None:
                break
            typed = answer(output)
            if typed is None:
                break
            if typed:
                os.write(ours, typed)
    finally:
        process.terminate()
        process.wait()
        os.close(ours)


def _cold_start() -> float:
    """Seconds from starting the process to a typed letter on the screen."""
    begun = time.perf_counter()
    seen = 0.0
    typed = False
    latest = b""

    def answer(output: bytes) -> bytes | None:
        nonlocal seen, typed, latest
        latest = latest[-32:] + output  # either may come in two parts
        if MARK.encode() in latest:
            seen = time.perf_counter() - begun
            return None
        # Typed as soon as the program has put the terminal into raw mode; before, the terminal would echo it.
        if not typed and b"\x1b[?1049h" in latest:
            typed = True
            return MARK.encode()
        return b""

    with tempfile.TemporaryDirectory() as home:
        _in_terminal([sys.executable, "-m", "trchat"], {"TRCHAT_HOME": home}, answer)
    if not seen:
        raise SystemExit("trchat did not start")
    return seen


if __name__ == "__main__":
    main()
