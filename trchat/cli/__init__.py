"""The command line. Each command is one module with ``register(commands)`` and ``run(args) -> exit code``."""

import argparse
import sys
from collections.abc import Sequence

from trchat.cli import ask, bench, chat, completion, config, history, matrix, models, serve
from trchat.cli.parser import Parser, shortened
from trchat.cli.streams import leave_stdout, say
from trchat.errors import TrchatError, UsageError
from trchat.text.one_line import one_line

COMMANDS = (ask, serve, history, bench, models, matrix, config, completion)

EPILOG = """Without a command, trchat opens the chat.

examples:
  trchat
  trchat -m llama-3.2-3b.Q4_0.gguf --continue
  trchat ask "Why is the sky blue?"
  git diff | trchat ask "Write a commit message for this change."
  trchat ask -m llama-3.2-3b.Q4_0.gguf --json -t 0 "List three primes."
"""


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line; importing it loads neither llama.cpp nor Textual."""
    parser = Parser(
        prog="trchat",
        description="Chat with a local GGUF model, faster: Token Recycling on llama.cpp, same answer.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--version", action="store_true", help="show the version; with -v, everything a bug report needs"
    )
    chat.add_options(parser)
    parser.set_defaults(run=chat.run)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS:
        command.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Only ``-v`` lets a traceback through."""
    args = argparse.Namespace()
    try:
        return _run(argv, args)
    except TrchatError as error:
        if getattr(args, "verbose", False):
            raise
        say(one_line(shortened(str(error))))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader (`| head`) has left
        leave_stdout()
        return 0
    except Exception as error:
        if getattr(args, "verbose", False):
            raise
        what = shortened(" ".join(f"{type(error).__name__}: {error}".split()))
        say(one_line(f"{what} (run again with -v for details)"))
        return 1


def _run(argv: Sequence[str] | None, args: argparse.Namespace) -> int:
    """Parse ``argv`` into ``args`` and do it. All that was printed is written, or it is an error."""
    if sys.stdout is None or sys.stdout.closed:
        raise UsageError("standard output is closed: there is nowhere to write to")
    try:
        build_parser().parse_args(argv, args)
    except SystemExit:  # after --help
        _flush()
        raise
    if args.version:
        from trchat.cli.version import show_version

        show_version(verbose=getattr(args, "verbose", False))
        code = 0
    else:
        code = int(args.run(args))
    _flush()
    return code


def _flush() -> None:
    """Write what is still kept back, here where an error can be told: a full disk, for one."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        leave_stdout()
        raise TrchatError(f"cannot write the output: {error.strerror or error}") from None
