"""The engine's own thread: it alone loads, runs and frees the model."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.session.job import Comparison, Job
from trchat.session.news import Compared, Ended, LoadFailed, Loading, Notice, Ready, Speed
from trchat.session.outbox import Outbox
from trchat.session.plain_speed import PlainSpeed

if TYPE_CHECKING:
    from trchat.chat.engine import Engine
    from trchat.config import Settings
    from trchat.recycling.drafter import Drafter
    from trchat.startup import Prepared
    from trchat.storage.conversations import ConversationStore

    OpenEngine = Callable[
        [Path, Settings, int | None, Callable[[float], object], Callable[[str], None]],
        AbstractContextManager[Engine],
    ]


NO_MODEL = "no model is loaded; choose one with /model"


class EngineHost:
    """Takes orders from the front end's thread and runs them one after another on its own.

    Everything it has to say goes to ``outbox``. ``lens`` is set while draft trees are looked at.
    """

    def __init__(
        self, store: "ConversationStore", wake: Callable[[], object], opener: "OpenEngine | None" = None
    ) -> None:
        """``wake`` is called, on the engine's thread, when the outbox has news; ``opener`` as open_engine."""
        self.outbox = Outbox(wake)
        self.lens = threading.Event()
        self._opener = opener
        self._store = store
        self._stops: list[threading.Event] = []
        self._unwanted = threading.Event()
        """Set when nobody waits any more for the model that is being loaded, or is to be."""
        self._thread = ThreadPoolExecutor(1, "engine")
        self._stack = ExitStack()
        self._engine: Engine | None = None
        self._drafters: dict[str, Drafter] = {}
        self._plain = PlainSpeed()

    def load(self, prepared: "Prepared") -> "Future[None]":
        """Free the model that is loaded, or still being loaded, and load another."""
        self._unwanted.set()
        self._unwanted = threading.Event()
        return self._thread.submit(self._load, prepared, self._unwanted)

    def set_draft(self, mode: str) -> "Future[None]":
        """Guess ahead in another way from the next answer on; what a mode has learned stays."""
        return self._thread.submit(self._telling, self._set_draft, mode)

    def write(self, job: Job) -> "Future[None]":
        """Write an answer."""
        return self._thread.submit(self._write, job, self._new_stop())

    def compare(self, comparison: Comparison) -> "Future[None]":
        """Write an answer again without drafts."""
        return self._thread.submit(self._compare, comparison, self._new_stop())

    def stop(self) -> None:
        """End the answer being written, and those still to come; what there is of them is kept."""
        for each in self._stops:
            each.set()
        self._stops.clear()

    def close(self) -> None:
        """Stop, save, free the model; returns when all that is done. What is being loaded is given up."""
        self._unwanted.set()
        self.stop()
        self._thread.submit(self._free)
        self._thread.shutdown(wait=True)

    def _new_stop(self) -> threading.Event:
        # One for each order: stopping one answer must not be undone by asking for the next.
        self._stops = [*self._stops[-8:], threading.Event()]
        return self._stops[-1]

    def _load(self, prepared: "Prepared", unwanted: threading.Event) -> None:
        self._free()
        if unwanted.is_set():
            return

        def progress(fraction: float) -> bool:
            self.outbox.put(Loading(fraction))
            return not unwanted.is_set()

        try:
            engine = self._stack.enter_context(
                self._open()(
                    prepared.model.path,
                    prepared.settings,
                    prepared.ctx,
                    progress,
                    lambda line: self.outbox.put(Notice(line)),
                )
            )
        except Exception as trouble:
            if not unwanted.is_set():
                self.outbox.put(LoadFailed(_explain(trouble)))
            return
        self._engine = engine
        self._plain = PlainSpeed()
        mode = prepared.settings.draft if engine.model.can_draft else "off"
        self._drafters = {mode: engine.drafter}
        self.outbox.put(self._ready(engine))

    def _open(self) -> "OpenEngine":
        if self._opener is not None:
            return self._opener
        from trchat.chat.loading import open_engine  # brings in llama.cpp: never before it is needed

        return open_engine

    def _ready(self, engine: "Engine") -> Ready:
        notices: list[str] = []
        if engine.template.is_fallback:
            notices.append("the model brings no chat template; ChatML is used, which may not suit it")
        if not engine.model.can_draft:
            notices.append(
                f"drafts cannot be verified with {engine.model.architecture} models: decoding without them"
            )
        return Ready(engine.context.n_ctx, engine.drafter.rows_learned, engine.came_free(), tuple(notices))

    def _set_draft(self, mode: str) -> None:
        engine = self._engine
        if engine is None or not engine.model.can_draft:
            return
        if mode not in self._drafters:
            self._drafters[mode] = engine.make_drafter(mode)
            if mode == "auto" and engine.costs.plain_ms is None:
                engine.learn_costs(0.0)  # was loaded for another mode; the next prompt is read anew
        engine.drafter = self._drafters[mode]

    def _write(self, job: Job, stop: threading.Event) -> None:
        from trchat.session.answering import refuse_answer, write_answer

        if self._engine is None:
            refuse_answer(job, self._store, self.outbox, NO_MODEL)
            return
        try:
            write_answer(self._engine, job, self._store, self.outbox, stop, self._plain, self.lens)
        except Exception as trouble:  # or the chat would wait for this answer for ever
            self.outbox.put(Ended(job.message_id, "error", Speed(), _explain(trouble)))

    def _compare(self, comparison: Comparison, stop: threading.Event) -> None:
        from trchat.session.answering import compare

        reason = NO_MODEL
        if self._engine is not None:
            try:
                compare(self._engine, comparison, self.outbox, stop)
                return
            except Exception as trouble:
                reason = _explain(trouble)
        self.outbox.put(Compared(comparison.job.message_id, comparison.mode, 0, 0.0, 0.0, False, 0, reason))

    def _free(self) -> None:
        self._engine = None
        self._drafters = {}
        self._telling(self._stack.close)

    def _telling(self, work: Callable[..., object], *arguments: object) -> None:
        """Do ``work``; what goes wrong with it is told, since nobody looks at the future it is done for."""
        try:
            work(*arguments)
        except Exception as trouble:
            self.outbox.put(Notice(_explain(trouble)))


def _explain(trouble: BaseException) -> str:
    from trchat.session.answering import explain

    return explain(trouble)
