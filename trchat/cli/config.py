"""``trchat config``: the settings in force, where each of them comes from, and changing the file."""

import argparse
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from trchat.cli.options import (
    add_draft_option,
    add_general_options,
    add_model_options,
    add_sampling_options,
)

if TYPE_CHECKING:
    from trchat.config import Settings

EPILOG = """examples:
  trchat config                                  all settings, and where each comes from
  trchat config get temp                         the value in force
  trchat config set temp 0.4                     keep it for all models
  trchat config set model.qwen3.temp 0.6         for every model with "qwen3" in its name
  trchat config set personas.pirate "Answer as a pirate."
  trchat config set keys.quit ctrl+x

The file is TOML. Everything in it is optional:

  default_model = "qwen3-0.6b"       # path, name, or part of a name
  draft = "auto"                     # also ctx, threads, gpu_layers, cache_type, flash_attn,
  theme = "nord"                     # kv_disk, recall, system, template, think, stop, split_mode,
                                     # tensor_split, main_gpu and rpc

  [sampling]
  temp = 0.7                         # also top_k, top_p, min_p, repeat_penalty, seed, max_tokens

  [model.qwen3]                      # for every model with "qwen3" in its name; any of the above
  temp = 0.6

  [personas]
  pirate = "Answer as a pirate."

  [keys]
  quit = "ctrl+q"

Flags override the environment (TRCHAT_MODEL, TRCHAT_TEMP, TRCHAT_CTX, …), which overrides this
file, which overrides what the model's own file recommends. Flags given to this command count as
they would elsewhere.
"""

NEW_FILE = """\
# trchat's settings. Everything here is optional; `trchat config --help` says what there is.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its actions to the command line."""
    about = "show and change settings"
    parser = commands.add_parser(
        "config",
        help=about,
        description="Show the settings in force and where each comes from, or change the configuration file.",
        epilog=EPILOG,
    )
    add_general_options(parser)
    add_model_options(parser)
    add_sampling_options(parser)
    add_draft_option(parser)
    parser.set_defaults(run=run, action="show")
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    for name, text in (
        ("get", "print the value of a setting"),
        ("set", "change a setting in the configuration file; comments stay"),
        ("unset", "remove a setting from the configuration file"),
        ("edit", "open the configuration file in your editor ($VISUAL or $EDITOR)"),
        ("path", "print where the configuration file is"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add_general_options(action)
        action.set_defaults(action=name)
        if name in ("get", "set", "unset"):
            action.add_argument("name", metavar="NAME", help="a setting, such as temp or model.qwen3.temp")
        if name == "set":
            action.add_argument("value", metavar="VALUE", help="its new value")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; the exit code is 0. Raises UsageError for a mistake in the file or the setting."""
    from trchat.cli.table import print_path
    from trchat.config_file import config_path

    match args.action:
        case "get":
            _get(args)
        case "set" | "unset":
            _change(args)
        case "edit":
            _edit()
        case "path":
            print_path(config_path())
        case _:
            _show(args)
    return 0


def _show(args: argparse.Namespace) -> None:
    from trchat.cli.table import print_table
    from trchat.config import setting_names
    from trchat.config_file import load_config
    from trchat.text.one_line import one_line

    config = load_config()
    settings = _in_force(args)
    print(f"{one_line(str(config.path))}{'' if config.exists else ' (not there)'}")
    rows = []
    for name in setting_names():
        value = getattr(settings, name)
        rows.append((name, "-" if value is None else str(value), settings.origins[name]))
    for title, entries in (("personas", config.personas), ("keys", config.keys)):
        rows += [
            (f"{title}.{name}", str(each.value), f"{config.path.name}:{each.line}")
            for name, each in entries.items()
        ]
    print_table(("SETTING", "VALUE", "FROM"), rows)


def _in_force(args: argparse.Namespace) -> "Settings":
    from trchat.cli.streams import say
    from trchat.config import settle
    from trchat.errors import ModelError
    from trchat.startup import prepare

    try:
        return prepare(vars(args)).settings
    except ModelError as error:  # the settings are worth seeing all the same
        say(str(error))
        return settle(vars(args))


def _get(args: argparse.Namespace) -> None:
    """Print the value in force of a setting, or what the file has under a longer name."""
    from trchat.config_file import load_config, setting_key
    from trchat.config_rules import DEFAULT_MODEL
    from trchat.errors import UsageError
    from trchat.text.one_line import one_line

    key = setting_key(args.name)
    config = load_config()
    if key[0] in ("personas", "keys", "model"):
        table = (
            config.models.get(key[1], {})
            if key[0] == "model"
            else config.personas
            if key[0] == "personas"
            else config.keys
        )
        if key[-1] not in table:
            raise UsageError(f"{one_line(args.name)} is not set")
        value: object = table[key[-1]].value
    else:
        name = "model" if key[-1] == DEFAULT_MODEL else key[-1]
        value = getattr(_in_force(args), name)
    print(one_line("" if value is None else str(value)))


def _change(args: argparse.Namespace) -> None:
    from trchat.cli.streams import say
    from trchat.config_file import change_config, load_config, rule_of, setting_key
    from trchat.config_rules import spelled
    from trchat.errors import UsageError
    from trchat.text.one_line import one_line

    key = setting_key(args.name)
    value = None
    if args.action == "set":
        rule = rule_of(key)
        try:
            value = spelled(rule, args.value)
        except ValueError:
            raise UsageError(f"{key[-1]} must be {rule.meaning}, not {one_line(args.value)!r}") from None
        if key[0] == "keys":
            from trchat.tui.bindings import check_key

            check_key(key[1], str(value))
    before = load_config()
    path = change_config(key, value)
    if value is None and load_config() == before:
        say(f"{one_line(args.name)} was not set")
    elif value is None:
        say(f"removed {one_line(args.name)} from {one_line(str(path))}")
    else:
        say(f"{one_line(args.name)} is now {one_line(str(value))} ({one_line(str(path))})")


def _edit() -> None:
    from trchat.config_file import config_path, load_config
    from trchat.errors import TrchatError, UsageError
    from trchat.paths import make_private_dir
    from trchat.text.one_line import one_line

    path = config_path()
    default = "notepad" if sys.platform == "win32" else "vi"
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or default
    try:
        if not path.exists():
            make_private_dir(path.parent)
            path.write_text(NEW_FILE, encoding="utf-8")
        done = subprocess.run([*shlex.split(editor, posix=sys.platform != "win32"), str(path)], check=False)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot open {one_line(str(path))} with {one_line(editor)!r}: {reason}") from None
    if done.returncode:
        raise TrchatError(f"{one_line(editor)} ended with exit code {done.returncode}")
    load_config()  # a mistake is better told now than at the next start
