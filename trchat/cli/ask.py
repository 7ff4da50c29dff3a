"""``trchat ask``: one question, one answer, made for shells and scripts."""

import argparse
import json
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from trchat.cli.interrupt import stop_on_interrupt
from trchat.cli.options import (
    add_draft_option,
    add_general_options,
    add_model_options,
    add_sampling_options,
)
from trchat.cli.question import read_question
from trchat.text.visible import visible

if TYPE_CHECKING:
    from trchat.chat.engine import Answer, Engine
    from trchat.startup import Prepared

EXIT_INTERRUPTED = 130

EPILOG = """examples:
  trchat ask "Why is the sky blue?"
  git diff | trchat ask "Write a commit message for this change."
  trchat ask -f notes.txt -f plan.md "What is missing in the plan?"
  trchat ask --json -t 0 -n 64 "List three primes." | jq .timings
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "ask",
        help="ask one question and print the answer",
        description="Ask one question. The answer goes to stdout as it is written, all else to stderr.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "prompt", nargs="*", metavar="PROMPT", help="the question; piped stdin comes before it"
    )
    parser.add_argument(
        "-f",
        "--file",
        dest="files",
        metavar="PATH",
        action="append",
        default=[],
        help="a text file to read first",
    )
    parser.add_argument("-s", "--system", metavar="TEXT", default=argparse.SUPPRESS, help="system prompt")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    output.add_argument("--stats", action="store_true", help="print speed and draft counts to stderr")
    output.add_argument("-q", "--quiet", action="store_true", help="no notices on stderr, only errors")
    add_model_options(parser)
    add_sampling_options(parser)
    add_draft_option(parser)
    add_general_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer the question; 0, or 130 after an interrupt."""
    from trchat.startup import memory_warning, prepare

    question = read_question(args.prompt, args.files)
    prepared = prepare(vars(args))
    warning = memory_warning(prepared)
    if warning:
        _notice(args, warning)

    from trchat.chat.engine import new_answer
    from trchat.chat.loading import open_engine, sampling_of

    settings = prepared.settings
    start = perf_counter()
    with open_engine(prepared.model.path, settings, prepared.ctx, _progress(args)) as engine:
        load_s = perf_counter() - start
        _notice_limits(args, engine)
        hot_rows = engine.drafter.rows_learned
        answer = new_answer(settings.seed)
        with stop_on_interrupt() as stop:
            try:
                _stream(args, engine, prepared, question, answer, sampling_of(settings, answer.seed), stop)
            finally:
                if not args.json and answer.text and not answer.text.endswith("\n"):
                    print(flush=True)
    if args.json:
        mode = settings.draft if engine.model.can_draft else "off"
        json.dump(report(answer, engine.model.name, mode, hot_rows, load_s), sys.stdout, ensure_ascii=False)
        print(flush=True)
    if args.stats:
        print(statistics_line(answer), file=sys.stderr)
    return EXIT_INTERRUPTED if answer.finish == "cancelled" else 0


def _stream(
    args: argparse.Namespace,
    engine: "Engine",
    prepared: "Prepared",
    question: str,
    answer: "Answer",
    sampling: Any,
    stop: Any,
) -> None:
    from trchat.chat.engine import Delta
    from trchat.chat.template import Turn

    system = [Turn("system", prepared.settings.system)] if prepared.settings.system else []
    turns = [*system, Turn("user", question)]
    shown = visible if sys.stdout.isatty() else str
    events = engine.answer(turns, sampling, prepared.settings.max_tokens, answer)
    for event in events:
        if isinstance(event, Delta) and event.text and not args.json:
            sys.stdout.write(shown(event.text))
            sys.stdout.flush()
        if stop.is_set():
            events.close()
            break


def report(answer: "Answer", model: str, mode: str, hot_rows: int, load_s: float) -> dict[str, Any]:
    """The answer as ``--json`` prints it."""
    from trchat.chat.reasoning import split_reasoning

    reasoning, text = split_reasoning(answer.text, answer.reasoning_opener)
    statistics = answer.statistics
    fresh = answer.prompt_tokens - answer.cached_prompt_tokens
    return {
        "text": text,
        "reasoning": reasoning,
        "model": model,
        "finish_reason": answer.finish,
        "prompt_tokens": answer.prompt_tokens,
        "cached_prompt_tokens": answer.cached_prompt_tokens,
        "completion_tokens": len(answer.token_ids),
        "token_ids": answer.token_ids,
        "seed": answer.seed,
        "draft": {
            "mode": mode,
            "steps": statistics.steps,
            "tokens_per_step": round(statistics.tokens_per_step, 4),
            "drafted": statistics.drafted,
            "accepted": statistics.accepted,
            "hot_rows": hot_rows,
        },
        "timings": {
            "load_s": round(load_s, 4),
            "prompt_s": round(answer.prompt_s, 4),
            "generate_s": round(statistics.seconds, 4),
            "prompt_tokens_per_s": round(fresh / answer.prompt_s, 2) if answer.prompt_s else 0.0,
            "tokens_per_s": round(statistics.tokens_per_s, 2),
        },
    }


def statistics_line(answer: "Answer") -> str:
    """One line of speed and draft counts."""
    statistics = answer.statistics
    return (
        f"{statistics.tokens} tokens, {statistics.tokens_per_s:.1f} tokens/s, "
        f"{statistics.tokens_per_step:.2f} tokens per step, "
        f"{statistics.accepted}/{statistics.drafted} drafted tokens accepted"
    )


def _notice(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(f"trchat: {text}", file=sys.stderr)


def _notice_limits(args: argparse.Namespace, engine: "Engine") -> None:
    if engine.template.is_fallback:
        _notice(
            args, "the model brings no chat template; using ChatML, which may not be what it was trained on"
        )
    if not engine.model.can_draft:
        _notice(
            args,
            f"{engine.model.architecture} models keep a state that cannot branch: decoding without drafts",
        )


def _progress(args: argparse.Namespace) -> Any:
    """Shows loading on a terminal; None elsewhere."""
    if args.quiet or not sys.stderr.isatty():
        return None

    def show(fraction: float) -> None:
        line = f"loading the model {fraction:4.0%}" if fraction < 1 else ""
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()

    return show
