"""``trchat matrix``: what was learned of each model, where it is kept, and how to carry it along."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.cli.options import add_general_options
from trchat.errors import TrchatError, UsageError
from trchat.text.visible import visible

if TYPE_CHECKING:
    from trchat.storage.recycled.records import Identity

EPILOG = """examples:
  trchat matrix                                  what was learned of every model
  trchat matrix info -m qwen3                    of one
  trchat matrix export qwen3.db -m qwen3         take it along
  trchat matrix import qwen3.db                  merge it into what this machine has learned
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    about = "show, carry and reset what was learned of each model"
    parser = commands.add_parser(
        "matrix", help=about, description=about.capitalize() + ". Without an action: info.", epilog=EPILOG
    )
    add_general_options(parser)
    parser.set_defaults(run=run, act=_info)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")

    def action(name: str, act: Callable[[argparse.Namespace], None], help: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = actions.add_parser(name, help=help, description=help + ".")
        add_general_options(sub)
        sub.set_defaults(act=act)
        if name != "import":
            sub.add_argument(
                "-m", "--model", metavar="PATH|NAME", default=argparse.SUPPRESS, help="which model's"
            )
        return sub

    action("info", _info, "rows, size, age, hit rates, tokens saved (of all models without --model)")
    reset = action("reset", _reset, "forget what was learned of a model")
    reset.add_argument("-y", "--yes", action="store_true", help="do not ask")
    action("path", _path, "print the file of a model's store (without --model: the folder of all)")
    action("export", _export, "copy a model's store into FILE").add_argument(
        "file", metavar="FILE", type=Path
    )
    add = action("import", _import, "merge the store in FILE into the one of the same model here")
    add.add_argument("file", metavar="FILE", type=Path)


def run(args: argparse.Namespace) -> int:
    """Run one action; the exit code is 0. Raises TrchatError."""
    args.act(args)
    return 0


def _info(args: argparse.Namespace) -> None:
    from trchat.storage.recycled.files import store_file, store_files

    if getattr(args, "model", None) is not None:
        path = store_file(_identity(args))
        if not path.exists():
            raise UsageError(f"nothing was learned of {visible(args.model)} yet")
        files = [path]
    else:
        files = store_files()
    if not files:
        print("trchat: nothing was learned yet: ask a model something first", file=sys.stderr)
    for number, path in enumerate(files):
        if number:
            print()
        _show(path)


def _show(path: Path) -> None:
    from trchat.cli.table import print_pairs
    from trchat.storage.recycled.store import RecycledStore, moment
    from trchat.text.units import byte_size

    size = path.stat().st_size if path.exists() else 0
    store = RecycledStore(path, None, _warn)
    try:
        identity, about, rows = store.identity, store.about(), store.row_counts()
        rates, totals = store.rates(), store.totals()
    finally:
        store.close()
    pairs = [
        ("model", f"{identity.name or 'unnamed'} {identity.quantisation} ({identity.architecture})"),
        ("rows", f"{sum(rows.values())} ({', '.join(f'{name} {n}' for name, n in rows.items())})"),
        ("size", byte_size(size)),
        ("begun", _ago(moment(about.get("created_at")))),
        ("last used", _ago(moment(about.get("updated_at")))),
    ]
    for source, hits, seen in rates:
        share = f"{hits / seen:.1%} of {seen:.0f} guesses lately" if seen >= 1 else "no guesses yet"
        pairs.append((f"hit rate, {source}", share))
    for draft, counts in sorted(totals.items()):
        saved = max(counts.tokens - counts.steps, 0)
        each = counts.tokens / counts.steps if counts.steps else 0.0
        pairs.append(
            (
                f"saved by {draft}",
                f"{saved} of {counts.tokens} tokens in {counts.answers} answers ({each:.2f} tokens per step, "
                f"{counts.accepted} of {counts.drafted} drafted tokens accepted)",
            )
        )
    print_pairs([*pairs, ("file", str(path))])


def _reset(args: argparse.Namespace) -> None:
    from trchat.storage.recycled.files import remove_store, store_file

    identity = _identity(args)
    path = store_file(identity)
    title = f"{identity.name or 'this model'} {identity.quantisation}"
    if not path.exists():
        _say(f"nothing was learned of {title} yet")
        return
    if not args.yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("nobody can be asked here: `trchat matrix reset` needs --yes")
        sys.stderr.write(visible(f"Forget what was learned of {title}? [y/N] "))
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return
    try:
        remove_store(path)
    except OSError as error:
        raise TrchatError(f"cannot remove {path}: {error.strerror or error}") from error
    _say(f"forgot what was learned of {title}")


def _path(args: argparse.Namespace) -> None:
    from trchat.cli.table import print_path
    from trchat.storage.recycled.files import recycled_dir, store_file

    print_path(store_file(_identity(args)) if getattr(args, "model", None) is not None else recycled_dir())


def _export(args: argparse.Namespace) -> None:
    from trchat.storage.recycled.files import export_store, store_file

    path = store_file(_identity(args))
    if not path.exists():
        raise UsageError("nothing was learned of this model yet")
    if args.file.exists():
        raise UsageError(f"{args.file} exists already")
    try:
        export_store(path, args.file)
    except OSError as error:
        raise TrchatError(f"cannot write {args.file}: {error.strerror or error}") from error


def _import(args: argparse.Namespace) -> None:
    from trchat.storage.recycled.files import import_store

    try:
        identity, rows = import_store(args.file)
    except OSError as error:
        raise UsageError(f"cannot read {args.file}: {error.strerror or error}") from error
    _say(
        f"merged {rows} rows into what was learned of {identity.name or 'its model'} {identity.quantisation}"
    )


def _identity(args: argparse.Namespace) -> "Identity":
    """The store's owner: the model named, else the one that would be used without a name."""
    from trchat.catalog.resolve import resolve_model
    from trchat.config import settle
    from trchat.model_store import identity_of

    wanted = getattr(args, "model", None)
    return identity_of(resolve_model(settle({}).model if wanted is None else wanted).path)


def _ago(then: float | None) -> str:
    if then is None:
        return "unknown"
    seconds = max(time.time() - then, 0.0)
    for name, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name} ago"
    return f"{seconds:.0f} seconds ago"


def _warn(line: str) -> None:
    print(f"trchat: warning: {visible(line)}", file=sys.stderr)


def _say(line: str) -> None:
    print(visible(f"trchat: {line}"), file=sys.stderr)
