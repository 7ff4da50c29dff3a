"""Every command's help as Markdown: the README's last word. ``python -m trchat.cli.help_pages README.md``."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

BEGIN = "<!-- begin: help pages, written by python -m trchat.cli.help_pages README.md -->"
END = "<!-- end: help pages -->"


def pages(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The command's name and its help, and those of all commands below it."""
    yield parser.prog, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from pages(inner)


def section(parser: argparse.ArgumentParser) -> str:
    """All help pages, folded away under the commands' names."""
    parts = [
        f"<details>\n<summary><code>{name}</code></summary>\n\n```text\n{help.rstrip()}\n```\n\n</details>\n"
        for name, help in pages(parser)
    ]
    return "\n".join(parts)


def updated(text: str, parser: argparse.ArgumentParser) -> str:
    """``text`` with the section between the two markers written anew. Raises ValueError without markers."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("there are no markers for the help pages")
    return f"{before}{BEGIN}\n\n{section(parser)}\n{END}{after}"


if __name__ == "__main__":
    from trchat.cli import build_parser

    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8"), build_parser()), encoding="utf-8")
