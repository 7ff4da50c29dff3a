from pathlib import Path

import pytest

from trchat.cli import build_parser
from trchat.cli.help_pages import BEGIN, END, pages, updated
from trchat.cli.parser import WIDTH

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_every_commands_help_as_it_is():
    text = README.read_text(encoding="utf-8")
    assert updated(text, build_parser()) == text, (
        "the help has changed: run python -m trchat.cli.help_pages README.md"
    )


def test_every_command_is_in_it():
    names = [name for name, _ in pages(build_parser())]
    assert names[0] == "trchat"
    assert {"trchat ask", "trchat models get", "trchat history export", "trchat completion"} <= set(names)
    section = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert section.count("<details>") == len(names)


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


def test_a_text_without_markers_is_refused():
    with pytest.raises(ValueError, match="no markers"):
        updated("# trchat\n", build_parser())
