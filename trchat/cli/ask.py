"""``trchat ask``: one question, one answer, made for shells and scripts."""

import argparse

from trchat.cli.options import (
    add_answering_options,
)

DESCRIPTION = """\
Ask one question. The answer goes to stdout as it is written, everything else to stderr.
What is piped in comes before the files, and they before the PROMPT.
"""

EPILOG = """examples:
  trchat ask "Why is the sky blue?"
  git diff | trchat ask "Write a commit message for this change."
  trchat ask -f notes.txt -f plan.md "What is missing in the plan?"
  trchat ask --continue "And in one sentence?"
  trchat ask -x "A shell script that counts words" > count.sh
  trchat ask --schema person.json "Invent a person." | jq .name
  trchat ask --json -t 0 -n 64 "List three primes." | jq .timings

exit codes:
  0 answered   1 error, or cut short under --schema or --grammar   2 wrong usage   3 no such model
  4 does not fit the context
  130 interrupted, after printing (and saving) what there is
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "ask",
        help="ask one question and print the answer",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    question = parser.add_argument_group("question")
    question.add_argument("prompt", nargs="*", metavar="PROMPT", help="the question")
    question.add_argument(
        "-f",
        "--file",
        dest="files",
        metavar="PATH",
        action="append",
        default=[],
        help="a text or PDF file to read first, - for standard input; can be repeated",
    )
    question.add_argument("--no-stdin", action="store_true", help="do not read standard input")
    question.add_argument(
        "-s",
        "--system",
        metavar="TEXT|@FILE",
        default=argparse.SUPPRESS,
        help="system prompt, or @FILE to read it from a file (default: the conversation's or your own)",
    )
    question.add_argument(
        "--continue",
        dest="continued",
        metavar="ID",
        nargs="?",
        const="",
        help="continue a conversation ('trchat history' lists them; default: the most recent one)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    output.add_argument(
        "-x",
        "--extract",
        action="store_true",
        help="print only the first code block, if there is one; -v says which language",
    )
    shape = output.add_mutually_exclusive_group()
    shape.add_argument("--schema", metavar="FILE", help="answer in JSON that fits this JSON Schema")
    shape.add_argument("--grammar", metavar="FILE", help="answer by this grammar (GBNF)")
    output.add_argument("--stats", action="store_true", help="print sizes, speed and draft counts to stderr")
    output.add_argument(
        "-q", "--quiet", action="store_true", help="nothing on stderr but errors (and --stats)"
    )
    output.add_argument("--no-save", action="store_true", help="do not keep this question and answer")
    add_answering_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer the question; 0, or 130 after an interrupt."""
    from trchat.chat.engine_start import start_engine

    started = start_engine()  # it gets ready while this process does
    from trchat.chat.engine_process import EngineStarter
    from trchat.cli.answering import answer_question

    with EngineStarter(started) as starter:
        return answer_question(args, starter)
