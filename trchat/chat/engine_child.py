"""The process that holds a model: it loads it, answers, and tells what happens over a pipe.

llama.cpp ends its process where it meets what it does not expect. Here that ends an answer, not the chat.
"""

import builtins
import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trchat.chat.engine import Engine
    from trchat.chat.engine_protocol import Order, Report
    from trchat.chat.records import Answer, Event

INTERVAL_S = 0.05
"""Records are sent at once, but no oftener: what comes meanwhile goes together. More than an eye sees."""
STANDING_S = 0.5
"""Counting what was learned looks through all rows."""
STACKS_MB = (1024, 256, 64)
"""1,024 MB suffice for three million letters, more than a context of a million tokens holds."""
FAREWELL_S = 15.0
"""What saving and freeing may take once the reader has gone."""


def main() -> None:
    """Carry out orders until there are no more. Standard input and output are the pipe."""
    reader, writer = _take_pipe()
    # Keys and closed terminals are for the front end, which then says what is to happen here.
    for name in ("SIGINT", "SIGHUP", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    child = _Child(reader, writer)
    with_large_stack(child.run)
    if child.failure is not None:
        raise child.failure


def with_large_stack(work: Callable[[], None]) -> None:
    """Run ``work`` on a thread with as large a stack as can be had.

    llama.cpp splits texts by regular expressions that go a level deeper with every letter. With the usual
    8 MB of stack 26,000 letters of one kind in a row end the process. Memory is taken only as it is used.
    """
    for megabytes in STACKS_MB:
        try:
            threading.stack_size(megabytes << 20)
            thread = threading.Thread(target=work, name="engine")
            thread.start()
        except (RuntimeError, ValueError):  # not to be had here
            continue
        finally:
            threading.stack_size(0)
        thread.join()
        return
    work()


class Sender:
    """Writes records from a thread of its own: while llama.cpp computes, Python's lock is free."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._changed = threading.Condition()
        self._waiting: list[Report] = []
        self._writing = self._urgent = False
        threading.Thread(target=self._write, name="sender", daemon=True).start()

    def put(self, report: "Report", *, at_once: bool = False) -> None:
        """Send a record, together with others unless ``at_once``."""
        with self._changed:
            wakes = at_once or not self._waiting
            self._waiting.append(report)
            self._urgent = self._urgent or at_once
            if wakes:
                self._changed.notify_all()

    def flush(self) -> None:
        """Return when everything is sent."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting and not self._writing)

    def _write(self) -> None:
        sent = 0.0
        try:
            while True:
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._waiting)
                    self._changed.wait_for(lambda: self._urgent, max(sent + INTERVAL_S - monotonic(), 0))
                    batch, self._waiting, self._urgent = self._waiting, [], False
                    self._writing = True
                pickle.dump(batch, self._pipe, pickle.HIGHEST_PROTOCOL)
                self._pipe.flush()
                sent = monotonic()
        except (OSError, ValueError):
            os._exit(1)  # the reader has gone


class _Child:
    """One process's work: at most one model."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader = reader
        self._sender = Sender(writer)
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._spelled: set[int] = set()
        self._engine: Engine | None = None
        self.failure: Exception | None = None
        """An unexpected error."""

    def run(self) -> None:
        """Carry out orders until there are no more."""
        try:
            self._run()
        except Exception as trouble:
            self.failure = trouble

    def _run(self) -> None:
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        from trchat.chat.loading import open_engine  # brings in llama.cpp, while the front end gets ready
        from trchat.llama.log import echo_log

        echo_log(sys.stderr)
        order = self._next()
        if order is None:
            return
        path, settings, ctx, remember = order.arguments
        with contextlib.ExitStack() as stack:

            def load() -> None:
                engine = open_engine(path, settings, ctx, self._loading, self._tell, remember=remember)
                self._engine = stack.enter_context(engine)
                self._sender.put(self._engine.facts)

            self._carry_out(load)
            while self._engine is not None and (order := self._next()) is not None:
                work: Callable[..., object] = getattr(self, f"_{order.name}")
                arguments, named = order.arguments, order.named or {}
                self._carry_out(lambda: work(self._engine, *arguments, **named))  # noqa: B023
        self._sender.flush()

    def _next(self) -> "Order | None":
        while self._engine is not None and self._orders.empty() and self._engine.pause():
            pass
        return self._orders.get()

    def _listen(self) -> None:
        from trchat.chat.engine_protocol import CLOSE, STOP

        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while (order := pickle.load(self._reader)).name != CLOSE:
                if order.name == STOP:
                    self._wish_to_stop(True)
                else:  # a stop that came too late is not meant for the next order
                    self._wish_to_stop(False)
                    self._orders.put(order)
        self._orders.put(None)
        self._wish_to_stop(True)
        threading.Event().wait(FAREWELL_S)
        os._exit(1)  # it hangs

    def _wish_to_stop(self, wanted: bool) -> None:
        if wanted:
            self._stop.set()
        else:
            self._stop.clear()
        if self._engine is not None:
            self._engine.interrupt(wanted)

    def _carry_out(self, work: Callable[[], object]) -> None:
        from trchat.chat.engine_protocol import Finished

        error = None
        try:
            work()
            if self._engine is not None:
                self._sender.put(self._engine.standing)
        except Exception as trouble:
            error = _portable(trouble)
        self._sender.put(Finished(error), at_once=True)

    def _loading(self, fraction: float) -> bool:
        from trchat.chat.engine_protocol import Loading

        self._sender.put(Loading(fraction))
        return not self._stop.is_set()

    def _tell(self, line: str) -> None:
        from trchat.chat.engine_protocol import Told

        self._sender.put(Told(line))

    def _use_draft(self, engine: "Engine", mode: str) -> None:
        engine.use_draft(mode)

    def _find_thinking(self, engine: "Engine") -> None:
        self._sender.put(engine.thinking)

    def _belongs_to(self, engine: "Engine", conversation: int | None) -> None:
        engine.belongs_to(conversation)

    def _answer(
        self,
        engine: "Engine",
        turns: Any,
        sampling: Any,
        max_tokens: int | None,
        answer: "Answer",
        **more: Any,
    ) -> None:
        from trchat.chat.engine_protocol import Growth, Said
        from trchat.llama.context import Interrupted

        growth = Growth(answer)
        events = engine.answer(turns, sampling, max_tokens, answer, **more)
        stood = monotonic()
        # An interrupted batch is the end that was asked for.
        with contextlib.suppress(Interrupted), contextlib.closing(events):
            for event in events:
                self._spell(engine, event)
                self._sender.put(Said(event, growth.changes()))
                if self._stop.is_set():
                    return
                if monotonic() - stood > STANDING_S:
                    self._sender.put(engine.standing)
                    stood = monotonic()

    def _spell(self, engine: "Engine", event: "Event") -> None:
        """Send the bytes of tokens along that the other side has not seen yet."""
        from trchat.chat.engine_protocol import Spellings
        from trchat.chat.records import Delta

        if isinstance(event, Delta):
            tokens = {*event.step.tokens, *map(int, event.step.tree.tokens)}
            tokens.update(other for each in event.likely if each for other, _logprob in each.others)
            tokens -= self._spelled
            if tokens:
                self._spelled |= tokens
                self._sender.put(Spellings({token: engine.piece(token) for token in tokens}))


def _portable(trouble: Exception) -> BaseException:
    """``trouble`` as an error that both processes know, with the traceback as a note."""
    from trchat import errors

    known: type[BaseException] = RuntimeError
    message = f"{type(trouble).__name__}: {trouble}"
    for kind in type(trouble).__mro__:
        if kind.__module__ == errors.__name__ or kind in (MemoryError, OSError):
            known, message = kind, str(trouble)
            break
        if type(trouble) is kind and getattr(builtins, kind.__name__, None) is kind:
            with contextlib.suppress(Exception):
                if str(kind(str(trouble))) == str(trouble):
                    known, message = kind, str(trouble)
                    break
    error = known(message)
    error.add_note("in the engine's process:\n" + "".join(traceback.format_exception(trouble)))
    return error


def _take_pipe() -> tuple[IO[bytes], IO[bytes]]:
    """The pipe, under numbers of its own: what llama.cpp prints goes to standard error, whatever it means."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    return reader, writer
