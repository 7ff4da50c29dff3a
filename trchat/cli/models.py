"""``trchat models``: the models a person already has, what is in them, and how to get one."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trchat.cli.options import add_general_options
from trchat.cli.streams import say, warn

EPILOG = """examples:
  trchat models                                        what there is
  trchat models info qwen3                             any unambiguous part of a name will do
  trchat models info qwen3 --template                  its chat template, as it stands in the file
  trchat models default qwen3-0.6b                     use it from now on
  trchat models get Qwen/Qwen3-0.6B-GGUF:Q8_0          download (needs pip install 'trchat[hub]')
  llama-server -m "$(trchat models path qwen3)"        the file, for another program

Looks into its own models folder ('trchat models path'), the Hugging Face cache, LM Studio's and
Ollama's folders and the demo package; only the files' headers are read, and nothing there is ever
changed.
"""

COLUMNS = ("NAME", "ARCH", "PARAMS", "QUANT", "SIZE", "CONTEXT", "TEMPLATE", "ROWS")
NUMBERS = ("PARAMS", "SIZE", "CONTEXT", "ROWS")


def rows_learned(path: Path) -> int | None:
    """How many rows of candidates were learned about the model in this file; None where nothing was yet."""
    from trchat import model_store

    return model_store.rows_learned(path, warn)


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its actions to the command line."""
    about = "list, inspect, choose and download models"
    parser = commands.add_parser(
        "models",
        help=about,
        description=about.capitalize() + ".",
        epilog=EPILOG,
    )
    add_general_options(parser)
    _add_json(parser)
    parser.set_defaults(run=run, action="list")
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    for name, names, text in (
        ("list", None, "every model found (what 'trchat models' does)"),
        ("info", "?", "everything that a model's file says about it (default: the model that would be used)"),
        ("default", "?", "use NAME when no --model is given; without NAME, show which that is"),
        ("path", "?", "the path of a model's file; without NAME, the folder to put models into"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add_general_options(action)
        action.set_defaults(action=name)
        if names:
            action.add_argument("name", metavar="NAME", nargs=names, help="path, name, or a part of a name")
        if name == "info":
            shape = action.add_mutually_exclusive_group()
            _add_json(shape)
            shape.add_argument(
                "--template", action="store_true", help="print the model's chat template and nothing else"
            )
        elif name == "list":
            _add_json(action)
    get = actions.add_parser(
        "get",
        help="download a GGUF file from the Hugging Face hub",
        description="Download a GGUF file from the Hugging Face hub into the cache that all its tools share. "
        "Resumes an interrupted download; checks the file's SHA-256.",
    )
    add_general_options(get)
    get.add_argument(
        "spec",
        metavar="REPO[:FILE]",
        help="FILE is a name or a part of one, such as Q8_0; without it, the only file, or Q4_0, Q4_K_M, …",
    )
    get.set_defaults(action="get")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; the exit code is 0. Raises TrchatError."""
    action: Callable[[argparse.Namespace], None] = {
        "list": _list,
        "info": _info,
        "default": _default,
        "path": _path,
        "get": _get,
    }[args.action]
    action(args)
    return 0


def _add_json(parser: "argparse.ArgumentParser | argparse._MutuallyExclusiveGroup") -> None:
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON and nothing else"
    )


def _list(args: argparse.Namespace) -> None:
    from trchat.catalog.listing import list_models
    from trchat.catalog.resolve import HOW_TO_GET_ONE
    from trchat.cli.table import print_table
    from trchat.text.units import byte_size, parameter_count

    models, problems = list_models()
    for problem in problems:
        say(f"left out: {problem}")
    if getattr(args, "json", False):
        print(json.dumps([_as_json(model) for model in models], indent=2))
        return
    if not models:
        say(f"no models found: {HOW_TO_GET_ONE}")
        return
    rows = []
    for model in models:
        card, learned = model.card, rows_learned(model.path)
        rows.append(
            (
                model.name,
                card.architecture,
                parameter_count(card.parameters),
                card.quantisation,
                byte_size(card.size),
                str(card.context or "-"),
                "yes" if card.chat_template else "no",
                "-" if learned is None else str(learned),
            )
        )
    print_table(COLUMNS, rows, right=NUMBERS)


def _info(args: argparse.Namespace) -> None:
    from trchat.catalog.card import recommended_sampling
    from trchat.catalog.gguf_header import read_header
    from trchat.catalog.memory import estimate
    from trchat.cli.table import print_pairs
    from trchat.startup import DEFAULT_CTX
    from trchat.text.units import byte_size, parameter_count

    model = _chosen(args)
    header = read_header(model.path)
    if args.template:
        _print_template(model.name, header.text("tokenizer.chat_template"))
        return
    recommended = recommended_sampling(header)
    ctx = min(DEFAULT_CTX, model.card.context or DEFAULT_CTX)
    need = estimate(header, ctx, flash_attn="auto")
    if getattr(args, "json", False):
        more = {"license": header.text("general.license"), "recommended_sampling": recommended}
        memory = {"ctx": ctx, "weights": need.weights, "kv_cache": need.kv_cache, "compute": need.compute}
        print(json.dumps({**_as_json(model), **more, "memory": memory}, indent=2))
        return
    card, learned = model.card, rows_learned(model.path)
    print_pairs(
        [
            ("name", model.name),
            ("title", card.title),
            ("path", str(model.path)),
            ("source", model.source),
            ("architecture", card.architecture),
            ("parameters", f"{parameter_count(card.parameters)} ({card.parameters})"),
            ("quantisation", card.quantisation),
            ("size", byte_size(card.size) + (f" in {card.parts} parts" if card.parts > 1 else "")),
            ("context", f"{card.context} tokens" if card.context else "not said"),
            ("chat template", "yes" if card.chat_template else "no"),
            ("licence", header.text("general.license") or "not said"),
            ("sampling", ", ".join(f"{k} {v}" for k, v in recommended.items()) or "nothing recommended"),
            ("memory", f"about {byte_size(need.total)} with a context of {ctx}"),
            ("matrix rows", "-" if learned is None else str(learned)),
        ]
    )


def _print_template(name: str, template: str | None) -> None:
    from trchat.cli.streams import Output
    from trchat.errors import TrchatError
    from trchat.text.one_line import one_line

    if not template:
        raise TrchatError(f"{one_line(name)} has no chat template")
    output = Output()
    output.write(template)
    output.end_line()


def _default(args: argparse.Namespace) -> None:
    from trchat.catalog.resolve import resolve_model
    from trchat.config_file import change_config
    from trchat.config_rules import DEFAULT_MODEL
    from trchat.text.one_line import one_line

    if args.name is None:
        print(one_line(_chosen(args).name))
        return
    model = resolve_model(args.name)
    name = model.lasting_name
    path = change_config((DEFAULT_MODEL,), name)
    say(f"{one_line(name)} is the default model now ({one_line(str(path))})")


def _path(args: argparse.Namespace) -> None:
    from trchat.catalog.sources import models_dir
    from trchat.cli.table import print_path

    print_path(models_dir() if args.name is None else _chosen(args).path)


def _get(args: argparse.Namespace) -> None:
    from trchat.catalog.download import download
    from trchat.cli.table import print_path

    print_path(download(args.spec, notify=say))


def _chosen(args: argparse.Namespace) -> Any:
    """The model named on the command line, else the one that would be used without a name."""
    from trchat.catalog.resolve import resolve_model
    from trchat.config import settle

    return resolve_model(args.name) if args.name is not None else resolve_model(settle({}).model)


def _as_json(model: Any) -> dict[str, Any]:
    card = model.card
    return {
        "name": model.name,
        "path": str(model.path),
        "source": model.source,
        "title": card.title,
        "architecture": card.architecture,
        "parameters": card.parameters,
        "quantisation": card.quantisation,
        "size": card.size,
        "parts": card.parts,
        "context": card.context or None,
        "chat_template": card.chat_template,
        "rows_learned": rows_learned(model.path),
    }
