"""The help of every command, and the page it is kept on."""

from pathlib import Path

import pytest

from trchat.cli import build_parser
from trchat.cli.help_pages import document, pages
from trchat.cli.parser import WIDTH

PAGE = Path(__file__).parents[2] / "assets" / "commands.md"


def test_the_page_has_every_commands_help_as_it_is():
    assert PAGE.read_text(encoding="utf-8") == document(build_parser()), (
        "the help has changed: run python -m trchat.cli.help_pages assets/commands.md"
    )


def test_every_command_is_in_it():
    names = [name for name, _ in pages(build_parser())]
    assert names[0] == "trchat"
    assert {"trchat ask", "trchat models get", "trchat history export", "trchat completion"} <= set(names)
    assert [line[3:] for line in document(build_parser()).splitlines() if line.startswith("## ")] == names


@pytest.mark.parametrize("columns", ["40", "100", "250"])
def test_help_does_not_depend_on_the_terminal(monkeypatch, columns):
    before = dict(pages(build_parser()))
    monkeypatch.setenv("COLUMNS", columns)
    assert dict(pages(build_parser())) == before


def test_help_fits_its_width_and_names_each_value_once():
    for name, text in pages(build_parser()):
        assert all(len(line) <= WIDTH for line in text.splitlines()), name
    text = dict(pages(build_parser()))["trchat ask"]
    assert "-f, --file PATH" in text
    assert text.startswith("usage: trchat ask [options] [PROMPT ...]\n")
