"""Takes requests in order and has one engine answer them, on a thread of its own."""

import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from time import monotonic
from typing import Any

from trchat.catalog.free_memory import free_memory
from trchat.catalog.listing import Model, list_models
from trchat.catalog.resolve import named_model
from trchat.chat.engine_process import EngineStarter
from trchat.chat.records import Answer, AnyEngine, Delta, Prefill, new_answer
from trchat.chat.settings import Remember, prompting_of, sampling_of, stops_of
from trchat.errors import CrashError, ModelError
from trchat.grammar.fit import objection
from trchat.model_crashes import known_crash
from trchat.serve.news import Ended, Failed, Grown, News, Reading, Token
from trchat.serve.problems import (
    MOST_WAITING,
    ApiError,
    from_trouble,
    shutting_down,
    too_many,
    unfit,
    unknown_model,
)
from trchat.serve.requests import AnswerRequest
from trchat.serve.saving import Saving
from trchat.startup import Prepared, note_used, prepare, warnings
from trchat.text.one_line import one_line

_SHARE_OF_FREE = 0.25
"""Of the memory that is free once a model is loaded: for what it has read of several conversations, so that
an editor and a chat do not push each other's prompt out. The rest is for the programs that ask."""
_UNTOLD_BYTES = 1 << 30
"""Where the system does not tell what is free; it holds some 80,000 tokens of a model of half a billion."""

Tell = Callable[[str], None]


class Errand:
    """One request on its way through the queue. ``hear`` is called on the desk's thread."""

    def __init__(self, asked: AnswerRequest, kind: str, hear: Callable[[News], object]) -> None:
        self.asked = asked
        self.kind = kind
        self.id = f"{'chatcmpl' if kind == 'chat' else 'cmpl'}-{secrets.token_hex(12)}"
        self.model = ""
        """The one that answers, as soon as that is known."""
        self.hear = hear
        self.asked_at = monotonic()
        self.left = threading.Event()
        """Set when nobody waits for it any more."""


class Desk:
    """One engine and a queue before it.

    Attributes:
        failure: why it never began to work: the first model could not be loaded.
    """

    def __init__(
        self,
        flags: Mapping[str, object],
        prepared: Prepared,
        starter: EngineStarter,
        *,
        keep: bool,
        saving: Saving | None,
        tell: Tell,
        ready: Callable[[str], object] = lambda name: None,
    ) -> None:
        """``flags`` are those of the command line, for other models than ``prepared`` too.

        ``keep`` refuses those. ``tell`` gets lines for a person, with sizes and times and nothing else of
        requests; ``ready`` is called with the model's name once there is one.
        """
        self._flags = flags
        self._first = prepared
        self._starter = starter
        self._keep = keep
        self._saving = saving
        self._tell = tell
        self._ready = ready
        self._stack = ExitStack()
        self._engine: AnyEngine | None = None
        self._loaded: Prepared | None = None
        self._changed = threading.Condition()
        self._queue: deque[Errand] = deque()
        self._current: Errand | None = None
        self._closed = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)

    def open(self) -> None:
        """Begin to load the model, and then to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer nothing more; who waits is told. Returns at once, see ``join``."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            waiting = list(self._queue)
            self._queue.clear()
            if self._current is not None:
                self._current.left.set()
            self._changed.notify()
        for errand in waiting:
            errand.hear(Failed(shutting_down()))

    def join(self, seconds: float) -> None:
        """Wait until what was learned is saved and the model freed, for so long at most.

        The engine's process goes on with that by itself.
        """
        self._thread.join(seconds)

    def submit(self, errand: Errand) -> None:
        """Put it at the end of the queue. Raises ApiError where that is too long, or the desk closed."""
        with self._changed:
            if self._closed:
                raise shutting_down()
            if len(self._queue) >= MOST_WAITING:
                raise too_many()
            self._queue.append(errand)
            self._changed.notify()

    def leave(self, errand: Errand) -> None:
        """Nobody waits for it any more: it stops at the next step, or never begins."""
        with self._changed:
            errand.left.set()
            if errand in self._queue:
                self._queue.remove(errand)

    @property
    def is_ready(self) -> bool:
        """Whether a model is loaded."""
        return self._engine is not None

    def standing(self) -> dict[str, Any]:
        """What is going on, in the order of the queue; times in seconds."""
        now = monotonic()
        with self._changed:
            loaded, current, waiting = self._loaded, self._current, list(self._queue)
            status = "ok" if self._engine is not None else "loading"
        return {
            "status": status,
            "model": loaded.model.name if loaded else None,
            "answering": {"id": current.id, "since_s": round(now - current.asked_at, 1)} if current else None,
            "waiting": len(waiting),
            "queue": [
                {"place": place, "id": each.id, "since_s": round(now - each.asked_at, 1)}
                for place, each in enumerate(waiting, 1)
            ],
        }

    def models(self) -> list[tuple[Model, bool]]:
        """The models that a request may name, and whether each is the one that is loaded; that one first."""
        loaded = (self._loaded or self._first).model
        others = [] if self._keep else list_models()[0]
        return [(loaded, self.is_ready), *((each, False) for each in others if each.path != loaded.path)]

    def _work(self) -> None:
        try:
            self._load(self._first)
        except Exception as trouble:
            self.failure = trouble
            self.close()
        else:
            while (errand := self._next()) is not None:
                self._serve(errand)
        self._free()

    def _next(self) -> Errand | None:
        with self._changed:
            self._current = None
            while not self._queue and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            self._current = self._queue.popleft()
            return self._current

    def _serve(self, errand: Errand) -> None:
        """Answer one request; whatever happens, ``Ended`` or ``Failed`` comes last, if anybody listens."""
        start = monotonic()
        answer = new_answer()
        finish = "error"
        try:
            self._get_ready(errand)
            self._answer(errand, answer)
            finish = answer.finish
            if finish == "stop":
                _hold_to_schema(errand.asked, answer)
            if finish == "cancelled":
                errand.hear(Failed(shutting_down() if self._closed else ApiError(499, "the client left")))
            else:
                errand.hear(Ended(answer))
        except Exception as trouble:
            if errand.left.is_set() and isinstance(trouble, CrashError) and not trouble.by_itself:
                finish = "cancelled"
            problem = shutting_down() if self._closed else from_trouble(trouble)
            errand.hear(Failed(problem))
            finish = finish if finish == "cancelled" else f"error {problem.status}"
        if self._engine is not None and not self._engine.alive:
            self._free()
        self._log(errand, answer, finish, start)

    def _answer(self, errand: Errand, answer: Answer) -> None:
        engine, loaded, asked = self._engine, self._loaded, errand.asked
        assert engine is not None and loaded is not None
        given: dict[str, Any] = dict(asked.settings)
        settings = replace(loaded.settings, **given)
        if settings.seed is not None:
            answer.seed = settings.seed
        schema = asked.schema.grammar if asked.schema else ""
        sampling = replace(
            sampling_of(settings, answer.seed, schema=schema),
            frequency_penalty=asked.frequency_penalty,
            presence_penalty=asked.presence_penalty,
            alternatives=asked.alternatives,
        )
        prompting = prompting_of(settings)
        record = self._saving and self._saving.begin(asked, loaded.model, settings, sampling, self._tell)
        events = engine.answer(
            asked.turns,
            sampling,
            settings.max_tokens,
            answer,
            opening=asked.opening,
            prompting=replace(
                prompting, variables={**prompting.variables, **asked.variables}, tools=asked.tools
            ),
            stops=stops_of(settings),
            whole=True,
            stop=errand.left.is_set,
        )
        begun = False
        try:
            with closing(events):
                for event in events:
                    begun = True
                    if isinstance(event, Prefill):
                        errand.hear(Reading(event.done, event.total))
                    elif isinstance(event, Delta):
                        errand.hear(_grown(event, engine))
                        if record:
                            record.grow(answer)
                    if errand.left.is_set():
                        break
        finally:
            if record and begun:
                record.end(answer)
            if record and engine.alive:
                engine.belongs_to(record.conversation)

    def _get_ready(self, errand: Errand) -> None:
        """Have the model loaded that the request names. Raises ApiError or ModelError."""
        wanted = self._wanted(errand.asked.model)
        if self._engine is None or self._loaded is None or wanted.model.path != self._loaded.model.path:
            for line in warnings(wanted):
                self._tell(line)
            self._load(wanted, errand.left.is_set)
        errand.model = wanted.model.name

    def _wanted(self, name: str | None) -> Prepared:
        current = self._loaded or self._first
        if name is None or _means(name, current.model):
            return current
        if self._keep:
            raise unknown_model(name, f"this server keeps {current.model.name} (--keep)")
        if _means(name, self._first.model):
            return self._first
        try:  # by names alone: a client has no business with paths
            found = named_model(name)
        except ModelError as error:
            raise unknown_model(name, str(error)) from None
        if found.path == current.model.path:
            return current
        return prepare({**self._flags, "model": str(found.path)})

    def _load(self, prepared: Prepared, unwanted: Callable[[], bool] = lambda: False) -> None:
        self._free()
        crash = known_crash(prepared.model.path) if prepared is not self._first else None
        if crash is not None:
            raise ModelError(f"{prepared.model.name} crashed the engine before: {crash.what}")
        engine = self._stack.enter_context(
            self._starter.open(
                prepared.model.path,
                prepared.settings,
                prepared.ctx,
                lambda fraction: not (self._closed or unwanted()),
                self._tell,
                remember=Remember(memory=_memory_for_texts()),
            )
        )
        with self._changed:
            self._engine, self._loaded = engine, prepared
        if prepared is self._first:  # what clients ask for is not what its owner means next time
            note_used(prepared)
        self._ready(prepared.model.name)

    def _free(self) -> None:
        with self._changed:
            self._engine = None
        try:
            self._stack.close()
        except Exception as trouble:
            self._tell(f"the model could not be closed cleanly: {one_line(str(trouble))}")

    def _log(self, errand: Errand, answer: Answer, finish: str, start: float) -> None:
        waited = start - errand.asked_at
        fresh = answer.prompt_tokens - answer.cached_prompt_tokens
        self._tell(
            f"{errand.kind}: waited {waited:.1f} s, read {fresh} of {answer.prompt_tokens} tokens in "
            f"{answer.prompt_s:.1f} s, wrote {len(answer.token_ids)} in {answer.statistics.seconds:.1f} s "
            f"({answer.statistics.tokens_per_s:.1f} tokens/s), {finish}"
        )


def _hold_to_schema(asked: AnswerRequest, answer: Answer) -> None:
    """Raise ApiError where a complete answer is not what the request's schema allows."""
    if asked.schema is not None and not answer.calls and (fault := objection(answer.text, asked.schema.text)):
        raise unfit(fault)


def _memory_for_texts() -> int:
    free = free_memory()
    return _UNTOLD_BYTES if free is None else int(free * _SHARE_OF_FREE)


def _means(name: str, model: Model) -> bool:
    """Whether ``name`` is one of this model's, without asking which others there are."""
    whole = model.name.lower()
    return name.lower() in (whole, whole.rsplit("/", 1)[-1], model.path.name.lower(), str(model.path).lower())


def _grown(delta: Delta, engine: AnyEngine) -> Grown:
    whole = delta.whole
    tokens = tuple(
        Token(
            engine.piece(each.token),
            each.logprob,
            tuple((engine.piece(token), logprob) for token, logprob in each.others),
        )
        for each in delta.likely
        if each is not None
    )
    return Grown(whole.reasoning, whole.text, tokens, whole.calls)
