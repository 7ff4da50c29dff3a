"""``trchat config``: the settings in force, and where each of them comes from."""

import argparse

from trchat.cli.options import (
    add_draft_option,
    add_general_options,
    add_model_options,
    add_sampling_options,
)

EPILOG = """The file is TOML. Everything in it is optional:

  default_model = "qwen3-0.6b"       # path, name, or a part of one
  draft = "auto"                     # also ctx, threads, gpu_layers, cache_type, flash_attn,
  theme = "nord"                     # system and template

  [sampling]
  temp = 0.7                         # also top_k, top_p, min_p, repeat_penalty, seed, max_tokens

  [model.qwen3]                      # for every model with "qwen3" in its name; any of the above
  temp = 0.6

  [personas]
  pirate = "Answer as a pirate."

  [keys]
  quit = "ctrl+q"

A flag goes before the environment (TRCHAT_MODEL, TRCHAT_TEMP, TRCHAT_CTX, …), that before the file,
that before what the model's own file recommends. Flags given to this command count as they would
elsewhere.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    about = "show the settings in force and where each comes from"
    parser = commands.add_parser(
        "config",
        help=about,
        description=about.capitalize() + ".",
        epilog=EPILOG,
    )
    add_general_options(parser)
    add_model_options(parser)
    add_sampling_options(parser)
    add_draft_option(parser)
    parser.add_argument(
        "path", nargs="?", choices=("path",), type=_path, help="path: print only where the file is"
    )
    parser.set_defaults(run=run)


def _path(word: str) -> str:
    """The only word that may follow. Many a program has ``config set``, so what is done here is said."""
    if word != "path":
        raise argparse.ArgumentTypeError(
            f"only 'path' may follow, not {word!r}; settings are changed in the file that it prints"
        )
    return word


def run(args: argparse.Namespace) -> int:
    """Print path and settings; the exit code is 0. Raises UsageError for a file with a mistake in it."""
    from trchat.cli.streams import say
    from trchat.cli.table import print_path, print_table
    from trchat.config import setting_names, settle
    from trchat.config_file import config_path, load_config
    from trchat.errors import ModelError
    from trchat.startup import prepare
    from trchat.text.one_line import one_line

    if args.path:
        print_path(config_path())
        return 0
    config = load_config()
    try:
        settings = prepare(vars(args)).settings
    except ModelError as error:  # the settings are worth seeing all the same
        say(str(error))
        settings = settle(vars(args), config=config)
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
    return 0
