"""``trchat`` without a command: the chat, full-screen or line by line."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from trchat.cli.options import (
    add_answering_options,
    positive_int,
)
from trchat.cli.streams import say

if TYPE_CHECKING:
    from trchat.chat.engine_process import EngineStarter


def add_options(parser: argparse.ArgumentParser) -> None:
    """The chat's flags, on the top-level parser."""
    parser.add_argument(
        "-s",
        "--system",
        metavar="TEXT|@FILE",
        default=argparse.SUPPRESS,
        help="system prompt, or @FILE to read it from a file",
    )
    parser.add_argument(
        "--continue",
        dest="continue_id",
        metavar="ID",
        nargs="?",
        type=positive_int,
        const=0,
        default=argparse.SUPPRESS,
        help="continue a conversation (default: the most recent one)",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        default=argparse.SUPPRESS,
        help="chat line by line, without colours or boxes; good for screen readers",
    )
    add_answering_options(parser)


def run(args: argparse.Namespace) -> int:
    """Chat until the user leaves; returns the exit code."""
    from trchat.chat.engine_start import start_engine

    started = start_engine()  # it gets ready while this process does
    from trchat.chat.engine_process import EngineStarter

    with EngineStarter(started) as starter:
        return _chat(args, starter)


def _chat(args: argparse.Namespace, starter: "EngineStarter") -> int:
    from trchat.catalog.resolve import NoModelNamedError
    from trchat.cli.crashed import ask_before_crash
    from trchat.cli.interrupt import end_soon, leave_when_ended
    from trchat.cli.terminal import restored_terminal
    from trchat.startup import prepare

    flags = vars(args)
    try:
        prepared = prepare(flags)
    except NoModelNamedError:
        chosen = choose_model(args)
        if chosen is None:
            raise
        flags = {**flags, "model": chosen}
        prepared = prepare(flags)
    ask_before_crash(prepared.model.path, say)
    if wants_plain(args):
        from trchat.plain.chat import chat

        return chat(flags, prepared, starter.open, leave_when_ended)
    from trchat.tui.app import TrchatApp

    app = TrchatApp(flags, prepared, starter.open)
    hint: str | None = None
    with restored_terminal() as restore:

        def leave(code: int) -> None:
            end_soon(code, restore)
            app.leave(code)

        with leave_when_ended(leave):
            try:
                app.run()
                hint = app.session.how_to_resume()
            finally:
                app.close_session()
    if hint:
        say(hint)
    if app.failure is not None:
        raise app.failure
    return int(app.return_code or 0)


def choose_model(args: argparse.Namespace) -> str | None:
    """Ask which model to chat with; its path, or None where there is no terminal, or no answer."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    if wants_plain(args):
        from trchat.plain.choose import choose_model as ask

        return ask()
    from trchat.tui.screens.models import ChooseModel

    return ChooseModel().run()


def wants_plain(args: argparse.Namespace) -> bool:
    """Whether the terminal (or the user) asks for the line mode."""
    if getattr(args, "plain", False) or os.environ.get("TERM") == "dumb":
        return True
    return sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty())
