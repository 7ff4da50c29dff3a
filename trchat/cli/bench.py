"""``trchat bench``: draft modes measured side by side."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.cli.options import (
    add_general_options,
    add_model_options,
    add_sampling_options,
    positive_int,
)
from trchat.cli.streams import Notices, say
from trchat.config_rules import DRAFT_MODES
from trchat.errors import TrchatError, UsageError

if TYPE_CHECKING:
    from trchat.bench.plan import Plan

EPILOG = """examples:
  trchat bench                                     built-in questions, all modes
  trchat bench --draft off,auto --per-category 2 --max-tokens 64
  trchat bench --questions spec_bench.jsonl --json result.json --plot result.svg
  trchat bench --ablation --width 16               what each part of auto brings
  trchat bench --draft off,auto -t 2 --seed 1      what drafting costs where nothing can be guessed
  trchat bench --draft off,auto --depth 8000       what it costs behind a long conversation
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
        help="modes to compare (default: off,lookup,recycling,auto; with --ablation: auto)",
    )
    group.add_argument(
        "--width", metavar="N", type=positive_int, help="fix auto's tree at N tokens, root included; 2 to 64"
    )
    group.add_argument(
        "--cost-curve", metavar="FILE:NAME", help="let auto decide by this curve; speedups are modeled"
    )
    left_out = group.add_mutually_exclusive_group()
    left_out.add_argument(
        "--without",
        metavar="a,b,…",
        type=parts,
        default=[],
        help="leave parts of auto out: names of sources as --ablation shows them, calibration, width",
    )
    left_out.add_argument(
        "--ablation",
        action="store_true",
        help="measure auto, and beside it auto without each of its parts in turn: what each of them brings",
    )
    group.add_argument(
        "--depth",
        metavar="N",
        type=positive_int,
        help="ask after a made-up conversation of N tokens",
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
    group.add_argument(
        "--anew",
        action="store_true",
        help="each question in a session of its own: what one answer teaches does not help the next",
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
    from trchat.bench.variants import auto_parts  # only where it is needed: it loads numpy

    names, known = [name.strip() for name in text.split(",")], auto_parts()
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(known)}")
    return names


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the files."""
    from trchat.bench import plot, table
    from trchat.bench.measure import measure
    from trchat.bench.plan import DEFAULT_MAX_TOKENS
    from trchat.startup import prepare

    plan = planned(args)
    if args.plot:
        plot.check(args.plot)
    for path in (args.json, args.plot):  # told now, not after minutes of measuring
        if path and not path.parent.is_dir():
            raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    # Its costs are measured at the start, whatever the user's settings draft by.
    prepared = prepare({"temp": 0.0, "seed": 0, **vars(args), "draft": "auto"})
    plan = replace(plan, max_tokens=prepared.settings.max_tokens or DEFAULT_MAX_TOKENS)
    notices = Notices(args.quiet)
    try:
        report = measure(plan, prepared, lambda done: notices.progress(bar(done, plan.answers)), say)
    finally:
        notices.progress("")  # also where it ends before it is full
    interrupted = report["settings"]["interrupted"]
    if interrupted:
        say("interrupted: these are the questions that every mode has answered")
    (table.show_ablation if args.ablation else table.show)(report)
    if args.json:
        _write(args.json, json.dumps(report, indent=1, ensure_ascii=False))
    if args.plot:
        plot.plot([report], args.plot)
    return 130 if interrupted else 0


def planned(args: argparse.Namespace) -> "Plan":
    """What is to be measured. Raises UsageError for flags that do not go together, and unreadable files."""
    from trchat.bench.curves import load_curve
    from trchat.bench.plan import Plan
    from trchat.bench.questions import WARM_SETS, load_questions
    from trchat.bench.variants import LEARNING, WIDTH, auto_parts, variants, with_ablation, with_hot
    from trchat.bench.warming import pair
    from trchat.recycling.cost import LADDER

    if args.width == 1:
        raise UsageError("--width 1 leaves no room for a draft; use --draft off")
    if args.width and args.width > LADDER[-1]:
        raise UsageError(f"--width is at most {LADDER[-1]}, the widest that auto drafts; not {args.width}")
    modes = args.modes or (["auto"] if args.ablation else ["off", "lookup", "recycling", "auto"])
    if args.plot and "off" not in modes and not args.cost_curve:
        raise UsageError("--plot draws speedups over plain decoding: add off to --draft")
    compared = variants(modes, args.without)
    if args.ablation:
        if "auto" not in modes:
            raise UsageError("--ablation leaves out parts of auto, which --draft does not name")
        compared = with_ablation(compared, [part for part in auto_parts() if part != WIDTH or not args.width])
    plan = Plan(
        variants=compared,
        questions=load_questions(args.questions, args.per_category),
        asked=args.questions.name if args.questions else "built-in",
        all_turns=args.turns == "all",
        width=args.width,
        curve=load_curve(args.cost_curve) if args.cost_curve else None,
        hot=args.hot,
        depth=args.depth or 0,
        anew=args.anew,
    )
    if args.warm is None:
        return plan
    if not set(modes) & set(LEARNING):
        raise UsageError(f"--warm needs a mode that learns: {' or '.join(LEARNING)}")
    warm = load_questions(args.warm if args.warm in WARM_SETS else Path(args.warm))
    measured, asked = pair(plan.questions, warm)
    if not measured:
        raise UsageError(f"--warm {args.warm} is related to none of the questions to measure")
    return replace(
        plan,
        variants=with_hot(compared),
        questions=measured,
        warm=asked,
        warmed_by=Path(args.warm).name,
    )


def bar(done: int, total: int) -> str:
    """How far it has come, in one line; nothing at the end."""
    filled = 30 * done // total
    return f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{total}" if done < total else ""


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise TrchatError(f"cannot write {path}: {error.strerror or error}") from error
