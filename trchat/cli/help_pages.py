"""Every command's help as one page of Markdown: ``python -m trchat.cli.help_pages assets/commands.md``."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

TITLE = """# Every command

What `--help` prints, written by `python -m trchat.cli.help_pages assets/commands.md`.
"""


def pages(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The command's name and its help, and those of all commands below it."""
    yield parser.prog, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from pages(inner)


def document(parser: argparse.ArgumentParser) -> str:
    """The page: one heading a command, and its help below."""
    sections = [f"## {name}\n\n```text\n{help.rstrip()}\n```\n" for name, help in pages(parser)]
    return "\n".join([TITLE, *sections])


if __name__ == "__main__":
    from trchat.cli import build_parser

    if len(sys.argv) != 2:
        sys.exit("usage: python -m trchat.cli.help_pages FILE.md")
    Path(sys.argv[1]).write_text(document(build_parser()), encoding="utf-8")
