"""Carries out a plan: from a model and questions to the report."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from trchat.bench.depth import ROOM, preface_for
from trchat.bench.forks import fork_margins
from trchat.bench.machine import describe_machine
from trchat.bench.plan import Plan
from trchat.bench.report import rows
from trchat.bench.runner import Measurement, run, run_in
from trchat.bench.variants import drafter_for
from trchat.bench.warming import warm_up
from trchat.chat.loading import open_engine
from trchat.chat.settings import Remember, sampling_of
from trchat.model_store import hot_memory
from trchat.recycling.drafter import Drafter
from trchat.startup import Prepared
from trchat.storage.recycled.memory import NOTHING, Memory
from trchat.storage.recycled.records import Loaded


def measure(
    plan: Plan, prepared: Prepared, answered: Callable[[int], None], tell: Callable[[str], None]
) -> dict[str, Any]:
    """Ask all that ``plan`` says, and return the report as ``bench --json`` writes it.

    ``answered`` is told how many answers there are so far, ``tell`` gets lines for a person. An interrupt
    (Ctrl-C) ends the measuring: the report is then of what all variants have answered, and raised again where
    that is nothing. Raises what loading and answering raise, and UsageError where the plan's depth does not
    fit the context.
    """
    settings = prepared.settings
    sampling = sampling_of(settings, settings.seed or 0)
    variants = {variant.name: variant for variant in plan.variants}
    warmed: dict[str, Drafter] = {}
    held: dict[str, Loaded] = {}
    ctx = prepared.ctx if settings.ctx else max(prepared.ctx, plan.depth and plan.depth + ROOM)
    cold = Remember(read=False, write=False)
    with open_engine(prepared.model.path, settings, ctx, remember=cold) as engine:
        n_vocab, chains = engine.model.n_vocab, engine.model.drafts == "chains"
        # Read once: a chat beside this that goes on learning must not help those that begin later.
        taught = hot_memory(prepared.model.path, n_vocab, tell).held() if plan.hot else NOTHING
        costs = plan.curve.costs() if plan.curve else engine.costs
        preface = preface_for(engine, plan) if plan.depth else []

        def make(name: str) -> Drafter:
            if name in warmed and name not in held:
                return warmed[name]
            # Each starts from rows of its own: what one learns here must not help another.
            memory = Memory(n_vocab, held.get(name, taught))
            return drafter_for(variants[name], n_vocab, costs, plan.width, memory, chains=chains)

        done = 0
        for name in [variant.name for variant in plan.variants if variant.hot]:
            memory = Memory(n_vocab)
            drafter = drafter_for(variants[name], n_vocab, costs, plan.width, memory, chains=chains)
            for _ in warm_up(engine, drafter, plan.warm, sampling, plan.max_tokens, all_turns=plan.all_turns):
                done += 1
                answered(done)
            warmed[name] = drafter
            if plan.anew:
                # What it learns from one question must not help it at the next.
                held[name] = memory.held()
        rows_at_start = {name: drafter.rows_learned for name, drafter in warmed.items()}
        # Those that are hot have answered already, and must not learn from anything else.
        run_in(engine, (make(name) for name, variant in variants.items() if not variant.hot), sampling)
        measurements: list[Measurement] = []
        interrupted = False
        try:
            for measurement in run(
                engine,
                make,
                list(variants),
                plan.questions,
                sampling,
                plan.max_tokens,
                all_turns=plan.all_turns,
                preface=preface,
                anew=plan.anew,
            ):
                measurements.append(measurement)
                answered(done + len(measurements))
        except KeyboardInterrupt:
            interrupted = True
            measurements = answered_by_all(measurements, len(variants))
            if not measurements:
                raise
        margins = fork_margins(engine, measurements)
        machine = describe_machine(engine, prepared.model.card)
        depth = len(engine.prompts.build(preface).ids) if preface else 0
    conditions = {
        "model": str(prepared.model.name),
        "questions": plan.asked,
        "turns": "all" if plan.all_turns else "first",
        "max_tokens": plan.max_tokens,
        "temperature": settings.temp,
        "seed": settings.seed,
        "width": plan.width,
        "without": sorted(variants["auto"].without) if "auto" in variants else [],
        "cost_curve": plan.curve.name if plan.curve else None,
        "start": "hot" if plan.hot else "cold",
        "warm": {"questions": plan.warmed_by, "asked": len(plan.warm), "rows": rows_at_start}
        if plan.warm
        else None,
        "depth": depth,
        "anew": plan.anew,
        "interrupted": interrupted,
    }
    return {
        "settings": conditions,
        "machine": machine,
        "results": rows(measurements, plan.variants, plan.curve, margins),
    }


def answered_by_all(measurements: Sequence[Measurement], n_variants: int) -> list[Measurement]:
    """The measurements of those questions (and turns) that every variant has answered."""
    answers = Counter((m.question.id, m.turn) for m in measurements)
    return [m for m in measurements if answers[m.question.id, m.turn] == n_variants]
