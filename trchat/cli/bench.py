"""``trchat bench``: draft modes measured side by side."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trchat.cli.options import (
    add_general_options,
    add_model_options,
    add_sampling_options,
    positive_int,
)
from trchat.cli.streams import say
from trchat.config_rules import DRAFT_MODES
from trchat.errors import TrchatError, UsageError

if TYPE_CHECKING:
    from trchat.bench.curves import CostCurve
    from trchat.bench.questions import Question
    from trchat.recycling.drafter import Drafter
    from trchat.storage.recycled.memory import Memory

EPILOG = """examples:
  trchat bench                                     built-in questions, all modes
  trchat bench --draft off,auto --per-category 2 --max-tokens 64
  trchat bench --questions spec_bench.jsonl --json result.json --plot result.svg
  trchat bench --cost-curve curves.json:laptop     judge the width choice for another machine
  trchat bench --draft auto --width 16 --warm related    what answers on the same topics have taught
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "bench",
        help="measure draft modes side by side",
        description="Answer the same questions in each draft mode, in turn, and compare speed and text.",
        epilog=EPILOG,
    )
    group = parser.add_argument_group("measurement")
    group.add_argument(
        "--questions", metavar="FILE.jsonl", type=Path, help="Spec-Bench format (default: built in)"
    )
    group.add_argument(
        "--turns", choices=("first", "all"), default="first", help="first turns only, or all (default: first)"
    )
    group.add_argument(
        "--per-category", metavar="N", type=positive_int, help="the first N questions of each kind"
    )
    group.add_argument(
        "--draft",
        dest="modes",
        metavar="a,b,…",
        type=draft_modes,
        default=["off", "lookup", "recycling", "auto"],
        help="modes to compare (default: off,lookup,recycling,auto)",
    )
    group.add_argument(
        "--width", metavar="N", type=positive_int, help="fix auto's tree at N tokens, root included"
    )
    group.add_argument(
        "--cost-curve", metavar="FILE:NAME", help="let auto decide by this curve; speedups are modeled"
    )
    group.add_argument(
        "--without",
        metavar="a,b,…",
        type=parts,
        default=[],
        help="switch parts of auto off: " + ", ".join(PARTS),
    )
    start = group.add_mutually_exclusive_group()
    start.add_argument(
        "--hot", action="store_true", help="start from what was learned so far (which stays as it is)"
    )
    start.add_argument(
        "--warm",
        metavar="FILE.jsonl|NAME",
        help="measure cold, and beside it hot: after these questions; built in are 'general' and, on the "
        "topics of the measured ones, 'related'",
    )
    group.add_argument("--json", metavar="FILE", type=Path, help="write settings, machine and results")
    group.add_argument(
        "--plot", metavar="FILE", type=Path, help="draw the speedups (.svg, .png; needs trchat[plot])"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_model_options(parser)
    add_sampling_options(parser)
    add_general_options(parser)
    parser.set_defaults(run=run)


PARTS = ("rows1", "rows2", "rows3", "gap", "suffix", "recent", "calibration", "width")


def draft_modes(text: str) -> list[str]:
    """Modes separated by commas, for argparse."""
    modes = [mode.strip() for mode in text.split(",")]
    for mode in modes:
        if mode not in DRAFT_MODES:
            raise argparse.ArgumentTypeError(f"{mode!r} is not one of {', '.join(DRAFT_MODES)}")
    if len(set(modes)) < len(modes):
        raise argparse.ArgumentTypeError("a mode is named twice")
    return modes


def parts(text: str) -> list[str]:
    """Parts of the auto drafter separated by commas, for argparse."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(PARTS)}")
    return names


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the files."""
    from trchat.bench import plot
    from trchat.bench.curves import load_curve
    from trchat.bench.forks import fork_margins
    from trchat.bench.machine import describe_machine
    from trchat.bench.report import rows
    from trchat.bench.runner import run as measure
    from trchat.bench.table import show
    from trchat.bench.warming import LEARNING, hot_name, warm_up, with_hot
    from trchat.chat.loading import open_engine, sampling_of
    from trchat.chat.remembering import Remember
    from trchat.model_store import hot_memory
    from trchat.startup import prepare

    if args.width == 1:
        raise UsageError("--width 1 leaves no room for a draft; use --draft off")
    if args.plot:
        plot.check(args.plot)
    curve = load_curve(args.cost_curve) if args.cost_curve else None
    questions, warm = choose_questions(args)
    modes = with_hot(args.modes) if warm else args.modes
    flags = {"temp": 0.0, "seed": 0, **vars(args)}
    flags["draft"] = "auto"  # its costs are measured at the start
    prepared = prepare(flags)
    settings = prepared.settings
    max_tokens = settings.max_tokens or 128
    measurements = []
    cold = Remember(read=False, write=False)
    with open_engine(prepared.model.path, settings, prepared.ctx, remember=cold) as engine:
        machine = describe_machine(engine)
        costs = engine.costs
        all_turns = args.turns == "all"
        sampling = sampling_of(settings, settings.seed or 0)
        warmed: dict[str, Drafter] = {}

        def make(mode: str) -> "Drafter":
            if mode in warmed:
                return warmed[mode]
            # Each mode starts from the same rows: what one learns here must not help another.
            memory = hot_memory(prepared.model.path, engine.model.n_vocab, say) if args.hot else None
            return make_measured(mode, engine.model.n_vocab, args, curve, costs, memory)

        turns = sum(len(q.turns) if all_turns else 1 for q in questions)
        total = turns * len(modes) + len(warm) * (len(modes) - len(args.modes))
        done = 0
        for mode in LEARNING:
            if warm and mode in args.modes:
                drafter = make(mode)
                for _ in warm_up(engine, drafter, warm, sampling, max_tokens, all_turns=all_turns):
                    done += 1
                    _show_progress(args, done, total)
                warmed[hot_name(mode)] = drafter
        hot_rows = {mode: drafter.rows_learned for mode, drafter in warmed.items()}
        for measurement in measure(engine, make, modes, questions, sampling, max_tokens, all_turns=all_turns):
            measurements.append(measurement)
            _show_progress(args, done + len(measurements), total)
        margins = fork_margins(engine, measurements)
    results = rows(measurements, modes, curve, margins)
    report = {
        "settings": {
            "model": str(prepared.model.name),
            "questions": args.questions.name if args.questions else "built-in",
            "turns": args.turns,
            "max_tokens": max_tokens,
            "temperature": settings.temp,
            "seed": settings.seed,
            "width": args.width,
            "without": args.without,
            "cost_curve": curve.name if curve else None,
            "start": "hot" if args.hot else "cold",
            "warm": args.warm and {"questions": Path(args.warm).name, "asked": len(warm), "rows": hot_rows},
        },
        "machine": machine,
        "results": results,
    }
    show(report)
    if args.json:
        _write(args.json, json.dumps(report, indent=1, ensure_ascii=False))
    if args.plot:
        plot.plot([report], args.plot)
    return 0


def choose_questions(args: argparse.Namespace) -> "tuple[list[Question], list[Question]]":
    """The questions to measure, and those to warm with before. Raises UsageError."""
    from trchat.bench.questions import WARM_SETS, load_questions
    from trchat.bench.warming import LEARNING, pair

    questions = load_questions(args.questions, args.per_category)
    if args.warm is None:
        return questions, []
    if not set(args.modes) & set(LEARNING):
        raise UsageError(f"--warm needs a mode that learns: {' or '.join(LEARNING)}")
    warm = load_questions(args.warm if args.warm in WARM_SETS else Path(args.warm))
    measured, asked = pair(questions, warm)
    if not measured:
        raise UsageError(f"--warm {args.warm} is related to none of the questions to measure")
    return measured, asked


def make_measured(
    mode: str,
    n_vocab: int,
    args: argparse.Namespace,
    curve: "CostCurve | None",
    costs: Any,
    memory: "Memory | None" = None,
) -> "Drafter":
    """A drafter for ``mode``, cold or from ``memory``, with the bench's switches applied to ``auto``."""
    from trchat.drafting import make_drafter
    from trchat.recycling.auto import AutoDrafter
    from trchat.recycling.knowledge import Knowledge

    if mode != "auto":
        return make_drafter(mode, n_vocab, memory=memory)
    width = args.width or (16 if "width" in args.without else None)
    chosen = curve.costs() if curve else costs
    return AutoDrafter(
        memory.knowledge if memory else Knowledge(), chosen, width, without=frozenset(args.without)
    )


def _show_progress(args: argparse.Namespace, done: int, total: int) -> None:
    if args.quiet or not sys.stderr.isatty():
        return
    filled = 30 * done // total
    line = f"\r\x1b[K[{'#' * filled}{'.' * (30 - filled)}] {done}/{total}" if done < total else "\r\x1b[K"
    sys.stderr.write(line)
    sys.stderr.flush()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise TrchatError(f"cannot write {path}: {error.strerror or error}") from error
