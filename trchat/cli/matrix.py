"""``trchat matrix``: what was learned about each model, where it is kept, and how to carry it along."""

import argparse
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trchat.cli.options import add_general_options
from trchat.cli.streams import confirmed, say, warn
from trchat.errors import ModelError, TrchatError, UsageError
from trchat.text.visible import visible

if TYPE_CHECKING:
    from trchat.catalog.listing import Model
    from trchat.storage.recycled.records import Identity, Totals

EPILOG = """examples:
  trchat matrix                                  what was learned about every model
  trchat matrix info -m qwen3                    of one
  trchat matrix export qwen3.db -m qwen3         take it along
  trchat matrix import qwen3.db                  merge it into what this machine has learned
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    about = "show, move and reset what was learned about each model"
    parser = commands.add_parser(
        "matrix", help=about, description=about.capitalize() + ". Without an action: info.", epilog=EPILOG
    )
    add_general_options(parser)
    parser.set_defaults(run=run, act=_info, json=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")

    def action(name: str, act: Callable[[argparse.Namespace], None], help: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = actions.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + "."
        )
        add_general_options(sub)
        sub.set_defaults(act=act)
        if name != "import":
            sub.add_argument(
                "-m", "--model", metavar="PATH|NAME", default=argparse.SUPPRESS, help="which model's"
            )
        return sub

    info = action("info", _info, "rows, size, age, hit rates, tokens saved (of all models without --model)")
    info.add_argument("--json", action="store_true", help="print a JSON array, one object a model")
    reset = action("reset", _reset, "forget what was learned about a model")
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
    found = [{"name": name, **facts} for path, name in _stores(args) if (facts := _facts(path)) is not None]
    if not found and getattr(args, "model", None) is not None:
        raise UsageError(f"nothing was learned about {visible(args.model)} yet")
    if args.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif not found:
        say("nothing was learned yet: ask a model something first")
    for number, facts in enumerate(() if args.json else found):
        if number:
            print()
        _show(facts)


def _facts(path: Path) -> dict[str, Any] | None:
    """All that a store says; None where it is empty."""
    from trchat.storage.recycled.metadata import moment
    from trchat.storage.recycled.store import RecycledStore

    size = path.stat().st_size if path.exists() else 0
    store = RecycledStore(path, None, warn)
    try:
        identity, about, rows = store.identity, store.about(), store.row_counts()
        rates, totals = store.rates(), store.totals()
    finally:
        store.close()
    if not any(rows.values()) and not totals:
        return None
    return {
        "model": identity.name,
        "quantisation": identity.quantisation,
        "architecture": identity.architecture,
        "rows": rows,
        "bytes": size,
        "begun_at": moment(about.get("created_at")),
        "used_at": moment(about.get("updated_at")),
        "hit_rates": [{"source": name, "hits": hits, "guesses": seen} for name, hits, seen in rates],
        "totals": {draft: asdict(counts) for draft, counts in sorted(totals.items())},
        "file": str(path),
    }


def _show(facts: dict[str, Any]) -> None:
    from trchat.cli.table import print_pairs
    from trchat.storage.recycled.records import Totals
    from trchat.text.units import byte_size

    rows = facts["rows"]
    by_source = ", ".join(_count(*row) for row in rows.items() if row[1])
    pairs = [
        ("model", facts["name"] or "not among those found here"),
        ("title", f"{facts['model'] or 'unnamed'} {facts['quantisation']} ({facts['architecture']})"),
        ("rows", f"{sum(rows.values())}" + (f" ({by_source})" if by_source else "")),
        ("size", byte_size(facts["bytes"])),
        ("begun", _ago(facts["begun_at"])),
        ("last used", _ago(facts["used_at"])),
    ]
    for rate in facts["hit_rates"]:
        hits, seen = rate["hits"], rate["guesses"]
        share = f"{hits / seen:.1%} of {seen:.0f} guesses lately" if seen >= 1 else "no guesses yet"
        pairs.append((f"hit rate, {rate['source']}", share))
    for draft, counts in facts["totals"].items():
        pairs.append((f"saved by {draft}", _saved(Totals(**counts))))
    print_pairs([*pairs, ("file", facts["file"])])


def _count(source: str, rows: int) -> str:
    length = source.removeprefix("rows")
    return (
        f"{rows} by {length} token{'' if length == '1' else 's'}"
        if length.isdecimal()
        else f"{source} {rows}"
    )


def _saved(totals: "Totals") -> str:
    tokens, steps = totals.tokens, totals.steps
    answers = f"{totals.answers} answer{'' if totals.answers == 1 else 's'}"
    return (
        f"{totals.came_free} of {tokens} tokens in {answers} "
        f"({tokens / steps if steps else 0.0:.2f} tokens per step, "
        f"{totals.accepted} of {totals.drafted} drafted tokens accepted)"
    )


def _reset(args: argparse.Namespace) -> None:
    from trchat.model_store import identity_of
    from trchat.storage.recycled.files import reset_store, store_file
    from trchat.storage.states.owners import forget_model, states_of

    model = _model(args)
    identity = identity_of(model.path)
    path, states = store_file(identity), states_of(identity.file_name)
    learned = path.exists() and _facts(path) is not None
    if not learned and not states.exists():
        say(f"nothing was learned about {model.name} yet")
        return
    if not args.yes and not confirmed(f"Forget what was learned about {model.name}?", "trchat matrix reset"):
        return
    if learned:
        reset_store(identity)
    forget_model(states)
    say(f"forgot what was learned about {model.name}")


def _path(args: argparse.Namespace) -> None:
    from trchat.cli.table import print_path
    from trchat.storage.recycled.files import recycled_dir, store_file

    print_path(store_file(_identity(args)) if getattr(args, "model", None) is not None else recycled_dir())


def _export(args: argparse.Namespace) -> None:
    from trchat.storage.recycled.files import export_store, store_file

    path = store_file(_identity(args))
    if not path.exists() or _facts(path) is None:
        raise UsageError("nothing was learned about this model yet")
    if args.file.exists():
        raise UsageError(f"{args.file} exists already")
    try:
        export_store(path, args.file)
    except OSError as error:
        raise TrchatError(f"cannot write {args.file}: {error.strerror or error}") from error
    say(f"what was learned is in {args.file}")


def _import(args: argparse.Namespace) -> None:
    from trchat.storage.recycled.files import import_store

    try:
        identity, rows = import_store(args.file)
    except OSError as error:
        raise UsageError(f"cannot read {args.file}: {error.strerror or error}") from error
    name = f"{identity.name or 'its model'} {identity.quantisation}"
    say(f"merged {rows} rows into what was learned about {name}")


def _stores(args: argparse.Namespace) -> list[tuple[Path, str | None]]:
    """The stores to tell of: the named model's, if there is one, or all; and what their models are called."""
    from trchat.catalog.listing import list_models
    from trchat.model_store import identity_of
    from trchat.storage.recycled.files import store_file, store_files

    if getattr(args, "model", None) is not None:
        model = _model(args)
        path = store_file(identity_of(model.path))
        return [(path, model.name)] if path.exists() else []
    files, names = store_files(), {}
    for model in list_models()[0] if files else ():
        with suppress(ModelError):  # gone or changed by now
            names[store_file(identity_of(model.path))] = model.name
    return [(path, names.get(path)) for path in files]


def _identity(args: argparse.Namespace) -> "Identity":
    """The store's owner: the model named, else the one that would be used without a name."""
    from trchat.model_store import identity_of

    return identity_of(_model(args).path)


def _model(args: argparse.Namespace) -> "Model":
    from trchat.catalog.resolve import resolve_model
    from trchat.config import settle

    wanted = getattr(args, "model", None)
    return resolve_model(settle({}).model if wanted is None else wanted)


def _ago(then: float | None) -> str:
    if then is None:
        return "unknown"
    seconds = max(time.time() - then, 0.0)
    if seconds < 10:
        return "just now"
    for name, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name} ago"
    return f"{seconds:.0f} seconds ago"
