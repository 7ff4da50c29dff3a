"""One answer, from the engine to the outbox and the store."""

import threading
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from trchat.errors import CrashError, TrchatError
from trchat.session.job import POST_INTERVAL_S, Comparison, Job
from trchat.session.news import Compared, Comparing, Dropped, Ended, Reading, Speed
from trchat.session.outbox import Outbox
from trchat.session.progress import Progress
from trchat.session.typed_setting import typed_here

if TYPE_CHECKING:
    from trchat.chat.records import Answer, AnyEngine
    from trchat.chat.saved_answer import SavedAnswer
    from trchat.storage.conversations import ConversationStore


def write_answer(
    engine: "AnyEngine",
    job: Job,
    store: "ConversationStore",
    outbox: Outbox,
    stop: threading.Event,
    lens: threading.Event,
) -> None:
    """Run ``job``, telling ``outbox`` and saving to ``store``; whatever happens, ``Ended`` comes last.

    ``stop`` ends it early and keeps what there is; ``lens`` asks for the draft trees as well.
    """
    from trchat.chat.finish_reason import remark_on
    from trchat.chat.records import new_answer
    from trchat.chat.saved_answer import SavedAnswer

    answer = new_answer(job.seed)
    saved = SavedAnswer(store, job.message_id, job.opening, job.opening_tokens)
    progress = Progress(engine, job.message_id, lens)
    error: str | None = None
    finish = "error"
    try:
        _stream(engine, job, answer, saved, outbox, stop, progress)
        finish = answer.finish
    except Exception as trouble:  # whatever it is becomes a message: the chat lives on
        error = explain(trouble)
    finally:
        grown = progress.take(answer, last=True)
        if grown:
            outbox.put(grown)
        try:
            saved.end(answer, finish)
        except TrchatError as trouble:
            error = error or f"the answer could not be saved: {trouble}"
        remark = None if error or job.opening else remark_on(answer)
        outbox.put(Ended(job.message_id, finish, progress.speed, error, remark and typed_here(remark)))
        engine.belongs_to(job.conversation)


def refuse_answer(job: Job, store: "ConversationStore", outbox: Outbox, reason: str) -> None:
    """Keep an answer that cannot be written as it stands, and say why."""
    from trchat.chat.records import new_answer
    from trchat.chat.saved_answer import SavedAnswer

    with suppress(TrchatError):  # unsaved, it counts as interrupted; the reason is told all the same
        SavedAnswer(store, job.message_id, job.opening, job.opening_tokens).end(new_answer(job.seed), "error")
    outbox.put(Ended(job.message_id, "error", Speed(), reason))


def _stream(
    engine: "AnyEngine",
    job: Job,
    answer: "Answer",
    saved: "SavedAnswer",
    outbox: Outbox,
    stop: threading.Event,
    progress: Progress,
) -> None:
    from trchat.chat.budget import Dropped as LeftOut
    from trchat.chat.records import Delta, Prefill
    from trchat.chat.settings import prompting_of, sampling_of, stops_of

    posted = 0.0
    events = engine.answer(
        job.turns,
        sampling_of(job.settings, job.seed),
        job.settings.max_tokens,
        answer,
        opening=job.opening,
        prompting=prompting_of(job.settings),
        stops=stops_of(job.settings),
        stop=stop.is_set,
    )
    try:
        for event in events:
            if isinstance(event, Prefill):
                outbox.put(Reading(job.message_id, event.done, event.total))
            elif isinstance(event, LeftOut):
                outbox.put(Dropped(job.message_id, event.turns))
            elif isinstance(event, Delta):
                progress.add(event)
                now = perf_counter()
                if now - posted >= POST_INTERVAL_S:
                    posted = now
                    grown = progress.take(answer)
                    if grown:
                        outbox.put(grown)
                    saved.grow(answer)
            if stop.is_set():
                break
    finally:
        events.close()


def compare(engine: "AnyEngine", comparison: Comparison, outbox: Outbox, stop: threading.Event) -> None:
    """Answer again without drafts, from the same seed, and tell how both went. Nothing is saved."""
    from trchat.chat.records import Delta, new_answer
    from trchat.chat.settings import prompting_of, sampling_of, stops_of

    job = comparison.job
    answer = new_answer(job.seed)
    error: str | None = None
    mode = engine.standing.mode
    engine.use_draft("off")
    sampling = sampling_of(job.settings, job.seed)
    events = engine.answer(
        job.turns,
        sampling,
        comparison.tokens,
        answer,
        prompting=prompting_of(job.settings),
        stops=stops_of(job.settings),
        stop=stop.is_set,
    )
    try:
        posted = 0.0
        for event in events:
            now = perf_counter()
            if isinstance(event, Delta) and now - posted >= POST_INTERVAL_S:
                posted = now
                outbox.put(Comparing(job.message_id, len(answer.token_ids), comparison.tokens))
            if stop.is_set():
                break
    except Exception as trouble:  # whatever it is becomes a message: the chat lives on
        error = explain(trouble)
    finally:
        events.close()
        engine.belongs_to(job.conversation)
        if engine.alive:
            engine.use_draft(mode)
    text = answer.text
    stopped = stop.is_set() and len(answer.token_ids) < comparison.tokens
    same = common_length(text, comparison.text)
    outbox.put(
        Compared(
            job.message_id,
            comparison.mode,
            len(answer.token_ids),
            comparison.tokens_per_s,
            answer.statistics.tokens_per_s,
            identical=same == len(text) and (stopped or same == len(comparison.text)),
            same=same,
            error=error,
        )
    )


def common_length(one: str, other: str) -> int:
    """How many characters two texts share from the start."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def explain(trouble: BaseException) -> str:
    """One line for a person."""
    if isinstance(trouble, MemoryError):
        return "not enough memory; try a smaller context (/set ctx 2048) or a smaller model"
    if isinstance(trouble, CrashError):
        return f"{trouble}; /retry restarts the engine"
    if isinstance(trouble, TrchatError):
        return typed_here(str(trouble))
    return f"{type(trouble).__name__}: {trouble}"
