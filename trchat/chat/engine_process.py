"""An engine in a process of its own, used like one in this process (see ``trchat.chat.engine``).

What ends the other process, or keeps it from ever answering, is an error here: one line that says what
happened, and when.
"""

import contextlib
import pickle
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from trchat.chat.crash import describe_end, describe_loss
from trchat.chat.engine_protocol import (
    CLOSE,
    STOP,
    Finished,
    Loading,
    Order,
    Report,
    Said,
    Spellings,
    Told,
    apply,
)
from trchat.chat.engine_start import start_engine
from trchat.chat.records import Answer, Delta, Event, ModelFacts, Standing, never
from trchat.chat.settings import REMEMBER, Remember
from trchat.chat.template import Turn, Verbatim
from trchat.chat.thinking_switch import ThinkingSwitch
from trchat.config import Settings
from trchat.errors import CrashError, ModelError
from trchat.llama.sampling import Sampling
from trchat.model_crashes import forget_crash, remember_crash
from trchat.text.one_line import one_line

GRACE_S = 5.0
"""How long a stop may take, before the process is ended: more than a step of the largest models."""
CLOSING_S = 20.0
"""How long saving what was learned and freeing the model may take: a slow disk has its own limit before."""
_LOOKS_S = 0.05  # between two looks at whether the user wants to stop
_KEPT_LINES = 40
_ENDED_FROM_OUTSIDE = (-9, -15, 1)  # SIGKILL, also for want of memory; SIGTERM; by Windows or by itself


class EngineStarter:
    """Opens engines, each in a process of its own. The first process starts at once, to be ready in time."""

    def __init__(self, started: "subprocess.Popen[bytes] | None" = None) -> None:
        """``started`` is a process that was started earlier (see ``engine_start``)."""
        self._ahead: EngineProcess | None = EngineProcess(started)
        self._running: EngineProcess | None = None

    def __enter__(self) -> "EngineStarter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that was started and not used."""
        if self._ahead is not None:
            self._ahead.kill()
            self._ahead = None

    def kill(self) -> None:
        """End the engine that is open at once: whoever waits for it gets what an interrupt gets them."""
        if self._running is not None:
            self._running.signal_end()

    @contextmanager
    def open(
        self,
        path: Path,
        settings: Settings,
        ctx: int | None = None,
        progress: Callable[[float], object] | None = None,
        tell: Callable[[str], None] = lambda line: None,
        *,
        remember: Remember = REMEMBER,
    ) -> Iterator["RemoteEngine"]:
        """As ``trchat.chat.loading.open_engine``; raises ModelError, too, when loading ends the process."""
        process, self._ahead = self._ahead or EngineProcess(), None
        self._running = process
        try:
            engine = RemoteEngine(process, path, tell)
            engine.load(settings, ctx, progress, remember)
            yield engine
        except BaseException:
            process.close(tell, in_a_hurry=True)
            raise
        process.close(tell)


class EngineProcess:
    """The process and its pipe (see ``trchat.chat.engine_child``)."""

    def __init__(self, started: "subprocess.Popen[bytes] | None" = None) -> None:
        """Start it, or take one that was ``started``. Raises TrchatError where no process can be started."""
        self._process = started or start_engine()
        self._reports: queue.SimpleQueue[list[Report] | None] = queue.SimpleQueue()
        self._printed: deque[str] = deque(maxlen=_KEPT_LINES)
        self._ended = False
        self.told_to_end = False
        """Whether ``signal_end`` was called."""
        self.machines: Sequence[str] = ()
        """Addresses of those that compute along."""
        self._threads = [
            threading.Thread(target=work, name=work.__name__, daemon=True)
            for work in (self._read, self._read_printed)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._ended and self._process.poll() is None

    def order(self, name: str, *arguments: Any, **named: Any) -> None:
        """Send an order. To a process that has ended too: ``reports`` then says so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            pickle.dump(Order(name, arguments, named), self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()

    def reports(self, wanted: Callable[[], bool], doing: Callable[[], str]) -> Iterator[Report]:
        """What it reports on the latest order, up to ``Finished``.

        When ``wanted`` says no, it is told to stop; where it does not, it is ended. Raises CrashError, which
        says what ``doing`` says was being done.
        """
        deadline = None
        if self._ended:
            raise CrashError("the engine has ended", by_itself=False)
        while True:
            if deadline is None and not wanted():
                self.order(STOP)
                deadline = monotonic() + GRACE_S
            try:
                batch = self._reports.get(timeout=_LOOKS_S)
            except queue.Empty:
                if deadline is not None and monotonic() > deadline:
                    self.kill()
                    what = f"llama.cpp did not stop within {GRACE_S:.0f} s {doing()} and was ended"
                    raise CrashError(what, by_itself=False) from None
                continue
            if batch is None:
                raise self._end(doing())
            for report in batch:
                yield report
                if isinstance(report, Finished):
                    return

    def close(self, tell: Callable[[str], None], *, in_a_hurry: bool = False) -> None:
        """Let it save and free everything, and end it; what it still has to say goes to ``tell``."""
        if self._ended:
            return  # by itself: nothing more will come
        self.order(CLOSE)
        deadline = monotonic() + (GRACE_S if in_a_hurry else CLOSING_S)
        with contextlib.suppress(queue.Empty):
            while (batch := self._reports.get(timeout=max(deadline - monotonic(), 0))) is not None:
                for report in batch:
                    if isinstance(report, Told):
                        tell(report.line)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=GRACE_S)
        self.kill()

    def signal_end(self) -> None:
        """Have the system end it; returns at once, fit for a signal's handler."""
        self.told_to_end = True
        self._process.kill()

    def kill(self) -> None:
        """End it now. May be called twice."""
        self._ended = True
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while True:
                self._reports.put(pickle.load(self._process.stdout))
        self._reports.put(None)

    def _read_printed(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr:
                self._printed.append(line[:1000].decode("utf-8", "replace").rstrip())

    def _end(self, doing: str) -> CrashError:
        self.kill()
        code, printed = self._process.returncode, list(self._printed)
        if lost := describe_loss(self.machines, doing, printed):
            return CrashError(lost, by_itself=False)
        return CrashError(describe_end(code, doing, printed), by_itself=code not in _ENDED_FROM_OUTSIDE)


class RemoteEngine:
    """An engine whose model is in another process; meets ``trchat.chat.records.AnyEngine``."""

    def __init__(self, process: EngineProcess, path: Path, tell: Callable[[str], None]) -> None:
        self._process = process
        self._path = path
        self._proven = False
        self._tell = tell
        self._pieces: dict[int, bytes] = {}
        self._thinking: ThinkingSwitch | None = None
        self.facts = ModelFacts()
        self.standing = Standing()

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        return self._process.alive

    def load(
        self,
        settings: Settings,
        ctx: int | None,
        progress: Callable[[float], object] | None,
        remember: Remember,
    ) -> None:
        """Load the model, once. Raises as ``open_engine`` does."""
        fraction = 0.0

        def wanted() -> bool:
            return progress is None or progress(fraction) is not False

        def doing() -> str:
            return "while it loaded the model" if fraction < 1 else "while it set up the model's context"

        self._process.machines = settings.rpc.split(",") if settings.rpc else ()
        self._process.order("open", self._path, settings, ctx, remember)
        try:
            for report in self._process.reports(wanted, doing):
                if isinstance(report, Loading):
                    fraction = report.fraction
                    wanted()
                else:
                    self._take(report)
        except CrashError as crash:
            self._remember(crash, loading=True)
            raise ModelError(f"cannot load {one_line(str(self._path))}: {crash}") from None

    @property
    def thinking(self) -> ThinkingSwitch:
        """As ``Engine.thinking``."""
        if self._thinking is None:
            self._process.order("find_thinking")
            for report in self._process.reports(lambda: True, lambda: "while it tried its chat template"):
                self._take(report)
        assert self._thinking is not None
        return self._thinking

    def use_draft(self, mode: str) -> None:
        """As ``Engine.use_draft``."""
        self._process.order("use_draft", mode)
        for report in self._process.reports(lambda: True, lambda: "while it changed how it drafts"):
            self._take(report)

    def belongs_to(self, conversation: int | None) -> None:
        """As ``Engine.belongs_to``; a process that has ended has nothing to keep."""
        with contextlib.suppress(CrashError):
            self._process.order("belongs_to", conversation)
            for report in self._process.reports(lambda: True, lambda: "between two answers"):
                self._take(report)

    def piece(self, token: int) -> bytes:
        """The bytes of a token that an answer's step has mentioned."""
        return self._pieces[token]

    def answer(
        self,
        turns: Sequence[Turn] | Verbatim,
        sampling: Sampling,
        max_tokens: int | None,
        answer: Answer,
        *,
        stop: Callable[[], bool] = never,
        **more: Any,
    ) -> Generator[Event, None, None]:
        """As ``Engine.answer``; raises CrashError, too, when the process ends over it."""
        last: Event | None = None

        def doing() -> str:
            if last is None:
                return "while it prepared the prompt"
            return f"while it {'wrote the answer' if isinstance(last, Delta) else 'read the prompt'}"

        left = False
        self._process.order("answer", turns, sampling, max_tokens, answer, **more)
        reports = self._process.reports(lambda: not (left or stop()), doing)
        try:
            for report in reports:
                if isinstance(report, Said):
                    apply(report.changes, answer)
                    last = report.event
                    yield report.event
                else:
                    self._take(report)
        except CrashError as crash:
            if self._process.told_to_end:
                return  # it did not stop soon enough for somebody
            self._remember(crash, loading=False)
            raise
        except GeneratorExit:
            left = True
            for report in reports:  # what it went on to say meanwhile is not wanted
                self._take(report)
            raise
        if not self._proven:
            self._proven = True
            forget_crash(self._path)

    def _remember(self, crash: CrashError, *, loading: bool) -> None:
        if crash.by_itself:
            remember_crash(self._path, str(crash), loading=loading)

    def _take(self, report: Report) -> None:
        match report:
            case Told(line):
                self._tell(line)
            case Spellings(pieces):
                self._pieces |= pieces
            case ModelFacts():
                self.facts = report
            case ThinkingSwitch():
                self._thinking = report
            case Standing():
                self.standing = report
            case Finished(error):
                if error is not None:
                    raise error
