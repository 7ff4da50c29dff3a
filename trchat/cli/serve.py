"""``trchat serve``: the model for other programs, by OpenAI's protocol."""

import argparse
import importlib.util
import os

from trchat.cli.options import (
    accepted_by,
    add_answering_options,
)
from trchat.config_rules import Number
from trchat.errors import UsageError

KEY_VARIABLE = "TRCHAT_API_KEY"

DESCRIPTION = """\
Answer other programs' requests by OpenAI's protocol: /v1/chat/completions (tools included, where
the model's template knows them), /v1/completions and /v1/models; /health tells who is waiting.
Requests are answered one after another. Sampling and thinking set here are for those that do not
set them.
"""

EPILOG = f"""examples:
  trchat serve -m qwen3                    then, elsewhere: OPENAI_BASE_URL=http://127.0.0.1:8080/v1
  trchat serve -m qwen3 -c 16384 --keep
  {KEY_VARIABLE}=secret trchat serve --host 0.0.0.0

exit codes:
  0 ended by Ctrl-C or SIGTERM   1 error   2 wrong usage, or the extra is missing   3 no such model

Needs pip install 'trchat[serve]'. Requests are not kept, and only their sizes and times are told.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "serve", help="answer other programs (OpenAI's protocol)", description=DESCRIPTION, epilog=EPILOG
    )
    group = parser.add_argument_group("server")
    group.add_argument(
        "--host", metavar="H", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)"
    )
    group.add_argument(
        "--port",
        metavar="N",
        type=accepted_by(Number(0, 65535, "a whole number from 0 (any that is free) to 65535", whole=True)),
        default=8080,
        help="port to listen at (default: 8080)",
    )
    group.add_argument(
        "--api-key",
        metavar="K",
        default=os.environ.get(KEY_VARIABLE) or None,
        help=f"key that requests must have; {KEY_VARIABLE} hides it from other users",
    )
    group.add_argument(
        "--cors-origin",
        dest="origins",
        metavar="URL",
        action="append",
        default=[],
        help="let web pages from there ask, * = all; can be repeated (default: none)",
    )
    group.add_argument("--keep", action="store_true", help="load no other model, whatever is asked for")
    group.add_argument("--save", action="store_true", help="keep requests and answers in the history")
    group.add_argument("-q", "--quiet", action="store_true", help="nothing on stderr but errors")
    add_answering_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until somebody ends it; 0 then. Raises TrchatError."""
    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn")):
        raise UsageError("the server needs two more packages: pip install 'trchat[serve]'")
    from trchat.chat.engine_start import start_engine

    started = start_engine()  # it gets ready while this process does
    from contextlib import ExitStack, closing

    from trchat.chat.engine_process import EngineStarter
    from trchat.chat.settings import template_source
    from trchat.cli.crashed import ask_before_crash
    from trchat.cli.interrupt import stop_on_interrupt
    from trchat.cli.streams import Notices
    from trchat.serve.desk import Desk
    from trchat.serve.running import address_of, check_key, open_socket
    from trchat.serve.running import run as serve
    from trchat.serve.saving import Saving
    from trchat.startup import prepare, warnings
    from trchat.storage.conversations import open_history

    notices = Notices(args.quiet)
    with ExitStack() as stack:
        starter = stack.enter_context(EngineStarter(started))
        check_key(args.host, args.api_key)
        prepared = prepare(vars(args))
        template_source(prepared.settings.template)
        for warning in warnings(prepared):
            notices.say(warning)
        ask_before_crash(prepared.model.path, notices.say)
        listening = stack.enter_context(open_socket(args.host, args.port))
        saving = Saving(stack.enter_context(closing(open_history(notices.say)))) if args.save else None
        address = address_of(listening)
        stop = stack.enter_context(stop_on_interrupt(starter.kill))
        desk = Desk(
            vars(args),
            prepared,
            starter,
            keep=args.keep,
            saving=saving,
            tell=notices.say,
            ready=lambda name: notices.say(f"{name} answers at {address}"),
        )
        serve(desk, listening, args.api_key, args.origins, stop)
    return 0
