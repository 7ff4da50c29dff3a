"""The engine's own thread: it alone loads, runs and frees the model."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.errors import ModelError
from trchat.model_crashes import known_crash
from trchat.session.job import Comparison, Job
from trchat.session.news import Compared, Ended, LoadFailed, Loading, Notice, Ready, Speed
from trchat.session.outbox import Outbox

if TYPE_CHECKING:
    from trchat.chat.records import AnyEngine
    from trchat.config import Settings
    from trchat.startup import Prepared
    from trchat.storage.conversations import ConversationStore

    OpenEngine = Callable[
        [Path, Settings, int | None, Callable[[float], object], Callable[[str], None]],
        AbstractContextManager[AnyEngine],
    ]


NO_MODEL = "no model is loaded; /model chooses one"
ENGINE_ENDED = "the engine crashed; /retry restarts it, /model switches to another model"


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
        """Set when the model that is being loaded, or is to be, is no longer waited for."""
        self._thread = ThreadPoolExecutor(1, "engine")
        self._stack = ExitStack()
        self._engine: AnyEngine | None = None
        self._missing = NO_MODEL
        """Why there is no engine."""

    def load(self, prepared: "Prepared", *, despite_crash: bool = False) -> "Future[None]":
        """Free the model that is loaded, or still being loaded, and load another.

        One that ended its engine before is not loaded, unless ``despite_crash``.
        """
        self._unwanted.set()
        self._unwanted = threading.Event()
        return self._thread.submit(self._load, prepared, self._unwanted, despite_crash)

    def set_draft(self, mode: str) -> "Future[None]":
        """Guess ahead in another way from the next answer on; what a mode has learned stays."""
        return self._thread.submit(self._telling, self._use_draft, mode)

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

    def _load(self, prepared: "Prepared", unwanted: threading.Event, despite_crash: bool) -> None:
        self._free()
        if unwanted.is_set():
            return

        def progress(fraction: float) -> bool:
            self.outbox.put(Loading(fraction))
            return not unwanted.is_set()

        try:
            crash = None if despite_crash else known_crash(prepared.model.path)
            if crash is not None:
                raise ModelError(f"it crashed the engine before: {crash.what}; /retry tries again")
            engine = self._stack.enter_context(
                self._open()(
                    prepared.model.path,
                    prepared.settings,
                    prepared.ctx,
                    progress,
                    lambda line: self.outbox.put(Notice(line)),
                )
            )
            ready = self._ready(engine, prepared.settings)
        except Exception as trouble:
            if not unwanted.is_set():
                self.outbox.put(LoadFailed(_explain(trouble)))
            return
        self._engine = engine
        self.outbox.put(ready)

    def _open(self) -> "OpenEngine":
        if self._opener is not None:
            return self._opener
        from trchat.chat.engine_process import EngineStarter

        return EngineStarter().open

    def _ready(self, engine: "AnyEngine", settings: "Settings") -> Ready:
        from trchat.chat.records import unfulfilled
        from trchat.chat.settings import prompting_of

        facts = engine.facts
        notices = unfulfilled(engine, prompting_of(settings), has_system=bool(settings.system))
        if not facts.brings_template:
            notices.append("this model has no chat template; using ChatML, which may not suit it")
        if not facts.can_draft:
            notices.append(
                f"drafts cannot be verified with {facts.architecture} models; decoding without them"
            )
        standing = engine.standing
        rows, free = standing.rows_learned, standing.came_free
        return Ready(facts.n_ctx, rows, free, tuple(notices), engine.thinking)

    def _use_draft(self, mode: str) -> None:
        if self._engine is not None:
            self._engine.use_draft(mode)

    def _write(self, job: Job, stop: threading.Event) -> None:
        from trchat.session.answering import refuse_answer, write_answer

        if self._engine is None:
            refuse_answer(job, self._store, self.outbox, self._missing)
            return
        try:
            write_answer(self._engine, job, self._store, self.outbox, stop, self.lens)
        except Exception as trouble:  # or the chat would wait for this answer for ever
            self.outbox.put(Ended(job.message_id, "error", Speed(), _explain(trouble)))
        self._let_go_of_a_dead_one()

    def _compare(self, comparison: Comparison, stop: threading.Event) -> None:
        from trchat.session.answering import compare

        reason = self._missing
        if self._engine is not None:
            try:
                compare(self._engine, comparison, self.outbox, stop)
                self._let_go_of_a_dead_one()
                return
            except Exception as trouble:
                reason = _explain(trouble)
        self.outbox.put(Compared(comparison.job.message_id, comparison.mode, 0, 0.0, 0.0, False, 0, reason))

    def _free(self) -> None:
        self._engine, self._missing = None, NO_MODEL
        self._telling(self._stack.close)

    def _let_go_of_a_dead_one(self) -> None:
        if self._engine is not None and not self._engine.alive:
            self._free()
            self._missing = ENGINE_ENDED

    def _telling(self, work: Callable[..., object], *arguments: object) -> None:
        """Do ``work``; what goes wrong with it is told, since its future is never looked at."""
        try:
            work(*arguments)
        except Exception as trouble:
            self.outbox.put(Notice(_explain(trouble)))


def _explain(trouble: BaseException) -> str:
    from trchat.session.answering import explain

    return explain(trouble)
