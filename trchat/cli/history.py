"""``trchat history``: list, read, search, export and remove conversations."""

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from trchat.cli.options import add_general_options, identifier, positive_int
from trchat.cli.streams import confirmed, say, warn
from trchat.errors import TrchatError, UsageError
from trchat.text.visible import visible

if TYPE_CHECKING:
    from trchat.storage.conversations import ConversationStore

EPILOG = """examples:
  trchat history
  trchat history search "sky blue"
  trchat history export 12 --format json > sky.json
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "history",
        help="list, read, search, export and remove conversations",
        description="List, read, search, export and remove conversations. Without an action: list.",
        epilog=EPILOG,
    )
    add_general_options(parser)
    parser.set_defaults(run=run, act=_list, limit=20)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")

    def action(
        name: str, act: "Callable[[ConversationStore, argparse.Namespace], None]", help: str
    ) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        add_general_options(sub)
        sub.set_defaults(act=act)
        return sub

    for sub in (
        action("list", _list, "list conversations, the most recent first"),
        search := action("search", _search, "find all these words in titles and messages"),
    ):
        sub.add_argument("--limit", metavar="N", type=positive_int, default=20, help="how many (default: 20)")
    search.add_argument("words", nargs="+", metavar="WORD", help="the last one may be just begun")
    show = action("show", _show, "print a conversation as Markdown")
    export = action("export", _export, "print a conversation as a document")
    for sub in (show, export):
        sub.add_argument("id", metavar="ID", nargs="?", type=identifier, help="default: the most recent one")
    export.add_argument(
        "--format",
        choices=("md", "json"),
        default="md",
        help="md: the branch shown last; json: all branches (default: md)",
    )
    remove = action("rm", _remove, "remove conversations for good")
    remove.add_argument("ids", metavar="ID", nargs="+", type=identifier)
    remove.add_argument("-y", "--yes", action="store_true", help="do not ask")
    actions.add_parser("path", help="print where conversations are kept").set_defaults(act=None)


def run(args: argparse.Namespace) -> int:
    """Run one action and return the exit code."""
    from trchat.cli.table import print_path
    from trchat.storage.conversations import ConversationStore, history_file, open_history

    if args.act is None:
        print_path(history_file())
        return 0
    if not history_file().exists():
        # Looking leaves no traces.
        with closing(ConversationStore(None, warn)) as nothing:
            args.act(nothing, args)
        return 0
    with closing(open_history(warn)) as store:
        args.act(store, args)
    return 0


def _list(store: "ConversationStore", args: argparse.Namespace) -> None:
    from trchat.cli.table import print_table
    from trchat.storage.export import heading
    from trchat.text.units import date_and_time

    found = store.conversations(limit=args.limit + 1)
    rows = [
        (str(each.id), date_and_time(each.updated_at), str(each.messages), heading(each))
        for each in found[: args.limit]
    ]
    if rows:
        print_table(("ID", "LAST USED", "MESSAGES", "TITLE"), rows, right=("ID", "MESSAGES"))
    else:
        say("no conversations yet")
    if len(found) > args.limit:
        say(f"these are the first {args.limit}; --limit shows more")


def _search(store: "ConversationStore", args: argparse.Namespace) -> None:
    from trchat.cli.search_results import print_found

    query = " ".join(args.words)
    if not query.strip():
        raise UsageError("there are no words to search for")
    hits = store.search(query, limit=args.limit)
    if hits:
        print_found(hits)
    else:
        say(f"nothing found for {query!r}")


def _show(store: "ConversationStore", args: argparse.Namespace) -> None:
    from trchat.storage.export import to_markdown

    conversation = store.kept(args.id)
    _print(to_markdown(conversation, store.thread(conversation.id)))


def _export(store: "ConversationStore", args: argparse.Namespace) -> None:
    from trchat.storage.export import to_json

    if args.format == "md":
        return _show(store, args)
    conversation = store.kept(args.id)
    _print(to_json(conversation, store.messages(conversation.id)))


def _remove(store: "ConversationStore", args: argparse.Namespace) -> None:
    from trchat.storage.export import heading

    chosen = [store.kept(conversation_id) for conversation_id in dict.fromkeys(args.ids)]
    for conversation in chosen:
        question = f"Remove conversation {conversation.id}, {heading(conversation)!r}, for good?"
        if not args.yes and not confirmed(question, "trchat history rm"):
            continue
        store.remove(conversation.id)
        if store.path is None:
            raise TrchatError(f"conversation {conversation.id} is still there: its file cannot be written")
        say(f"removed conversation {conversation.id}")


def _print(text: str) -> None:
    """Print for eyes on a terminal; into a pipe or a file every byte goes as it is."""
    if sys.stdout.isatty():
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(visible(text).encode(encoding, "replace").decode(encoding))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
