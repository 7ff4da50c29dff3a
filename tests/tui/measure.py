"""What the full-screen chat costs: ``python -m tests.tui.measure`` (POSIX, the demo model, a quiet machine).

Writes the same answer alternately with ``trchat ask`` and in the TUI, each in a process and a terminal of its
own, and compares tokens per second from the first step to the last. The clock runs inside the engine's
loop: it includes whatever its reader does between two steps. Then the TUI is started again and again, to see
after how long a key typed at once is on the screen.
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
import threading
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from statistics import median

PROMPT = "Explain in detail how bread is made, step by step, with a numbered list and a short Python example."
SIZE = (40, 120)
"""Rows and columns."""
MARK = "ж"
"""A letter that is on the screen only when it was typed."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs (default 5)")
    parser.add_argument("--tokens", type=int, default=256, help="tokens of each answer (default 256)")
    parser.add_argument("--draft", default="off", help="draft mode (default off: every step is the same)")
    parser.add_argument("--starts", type=int, default=5, help="cold starts (default 5)")
    parser.add_argument("--lens", action="store_true", help="with the draft lens open")
    parser.add_argument("--child", choices=("ask", "tui"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        (_ask if args.child == "ask" else _tui)(args)
        return
    rows = []
    for run in range(args.runs):
        order = ("ask", "tui") if run % 2 else ("tui", "ask")
        rows.append({which: _run(which, args) for which in order})
        ask, tui = rows[-1]["ask"], rows[-1]["tui"]
        print(
            f"ask {ask['tokens_per_s']:7.2f}   tui {tui['tokens_per_s']:7.2f} tokens/s   "
            f"tui/ask {tui['tokens_per_s'] / ask['tokens_per_s']:.3f}   "
            f"UI thread {tui['ui_share']:.1%} of one core",
            flush=True,
        )
    if rows:
        ratio = median(row["tui"]["tokens_per_s"] / row["ask"]["tokens_per_s"] for row in rows)
        print(f"median tui/ask {ratio:.3f}: the TUI costs {1 - ratio:.1%}")
    starts = [_cold_start() for _ in range(args.starts)]
    if starts:
        print(f"first key on the screen after {median(starts):.2f} s (slowest {max(starts):.2f} s)")


def _flags(args: argparse.Namespace) -> list[str]:
    return ["-t", "0", "--seed", "1", "-n", str(args.tokens), "--draft", args.draft]


def _run(which: str, args: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        result = Path(home) / "result.json"
        command = [sys.executable, "-m", "tests.tui.measure", "--child", which, "--tokens", str(args.tokens)]
        command += ["--draft", args.draft, *(["--lens"] if args.lens else [])]
        _in_terminal(command, {"TRCHAT_HOME": home, "MEASURE_RESULT": str(result)}, lambda _output: b"")
        found: dict[str, float] = json.loads(result.read_text("utf-8"))
        return found


def _in_terminal(
    command: list[str], variables: dict[str, str], answer: Callable[[bytes], bytes | None]
) -> None:
    """Run ``command`` in a terminal; ``answer`` gets the output so far and says what to type; None ends."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    output = b""
    try:
        while True:
            if select.select([ours], [], [], 0.5)[0]:
                try:
                    output += os.read(ours, 65536)
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

    def answer(output: bytes) -> bytes | None:
        nonlocal seen, typed
        if MARK.encode() in output:
            seen = time.perf_counter() - begun
            return None
        # Typed as soon as the program has put the terminal into raw mode; before, the terminal would echo it.
        if not typed and b"\x1b[?1049h" in output:
            typed = True
            return MARK.encode()
        return b""

    with tempfile.TemporaryDirectory() as home:
        _in_terminal([sys.executable, "-m", "trchat"], {"TRCHAT_HOME": home}, answer)
    if not seen:
        raise SystemExit("trchat did not start")
    return seen


class _Clock:
    """Wraps ``Engine.answer``: when its steps came, and what the main thread worked meanwhile."""

    def __init__(self) -> None:
        from trchat.chat.engine import Delta, Engine

        self.times: list[tuple[float, float, int]] = []
        whole = Engine.answer
        cpu_clock = time.pthread_getcpuclockid(threading.main_thread().ident or 0)

        def answer(engine, *args, **kwargs):  # type: ignore[no-untyped-def]
            for event in whole(engine, *args, **kwargs):
                if isinstance(event, Delta):
                    now = time.perf_counter(), time.clock_gettime(cpu_clock), len(event.step.tokens)
                    self.times.append(now)
                yield event

        Engine.answer = answer  # type: ignore[method-assign]

    def write(self) -> None:
        """Leave the figures where the parent looks for them."""
        (start, cpu_start, _), (end, cpu_end, _) = self.times[0], self.times[-1]
        tokens = sum(count for _, _, count in self.times[1:])
        figures = {
            "tokens": tokens,
            "tokens_per_s": tokens / (end - start),
            "ui_share": (cpu_end - cpu_start) / (end - start),
        }
        Path(os.environ["MEASURE_RESULT"]).write_text(json.dumps(figures), "utf-8")


def _ask(args: argparse.Namespace) -> None:
    from trchat.cli import main as trchat

    clock = _Clock()
    try:
        trchat(["ask", *_flags(args), PROMPT])
    finally:
        clock.write()


def _tui(args: argparse.Namespace) -> None:
    from trchat.cli import main as trchat
    from trchat.tui.screens.chat import ChatScreen

    clock = _Clock()
    ready, ended = ChatScreen._model_ready, ChatScreen._ended

    def begin(screen: ChatScreen, news) -> None:  # type: ignore[no-untyped-def]
        ready(screen, news)
        if args.lens:
            screen.call_later(screen.action_lens)
        screen.prompt.put(PROMPT)
        screen.call_later(screen.prompt.action_send)

    async def end(screen: ChatScreen, news) -> None:  # type: ignore[no-untyped-def]
        await ended(screen, news)
        screen.app.exit()

    ChatScreen._model_ready = begin  # type: ignore[method-assign]
    ChatScreen._ended = end  # type: ignore[method-assign]
    try:
        trchat(_flags(args))
    finally:
        clock.write()


if __name__ == "__main__":
    main()
