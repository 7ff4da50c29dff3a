"""Markdown as chat models write it."""

import pytest

from trchat.tui.markdown_lines import Painter, hung
from trchat.tui.markdown_stream import MarkdownStream


def drawn(text, width=60):
    stream = MarkdownStream(Painter(width, {}, True))
    stream.finish(text)
    return [strip.text.rstrip() for strip in (*stream.done, *stream.tail)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", ["one", "two"]),
        (r"a\, b\; \{c\} \[d\ \(e", [r"a\, b\; \{c\} \[d\ \(e"]),
        (r"\*not bold\* but **bold**", ["*not bold* but bold"]),
        ("Edit __init__.py, __main__ and **__x__**.", ["Edit __init__.py, __main__ and __x__."]),
        ("__Note:__ snake__case__name", ["Note: snake__case__name"]),
        (r"So \( x^2 \) and $a_1$ and $$y$$.", ["So x² and a₁ and y."]),
        ("It costs $5 or $10, in $HOME/$USER, US$5.", ["It costs $5 or $10, in $HOME/$USER, US$5."]),
        ("\\[\nx\n= y\n\\]", ["x = y"]),
        ("$$\n- a\n= b\n$$\nand more", ["- a = b", "", "and more"]),
        ("Then:\n\\[ E = mc^2 \\]\nDone.", ["Then:", "", "E = mc²", "", "Done."]),
        (r"\[ \nosuch{x} \]", [r"\[ \nosuch{x} \]"]),
        ("`$x^2$` stays", ["$x^2$ stays"]),
        ("| a | b |\n|---|---|\n| $x^2$ | 2 |", None),
    ],
)
def test_what_it_means(text, shown):
    if shown is None:
        assert any("x²" in line for line in drawn(text))
    else:
        assert drawn(text) == shown


def test_headings_differ():
    stream = MarkdownStream(Painter(40, {"text-primary": "#112233"}, True))
    stream.finish("# a\n\n## b\n\n### c\n\n#### d\n\ntext")
    looks = {
        strip.text.strip(): str(next(iter(strip)).style)
        for strip in stream.done
        if strip.text.strip() in ("a", "b", "c", "d")
    }
    assert len({looks[name] for name in ("b", "c", "d")}) == 3
    assert "━" * 40 in drawn("# a", 40), "the largest stands above a line"


def test_code_has_its_language_and_a_number_and_hangs_what_is_too_long():
    lines = drawn("```python\nif x:\n    return first + second + third\n```\n- a\n  ```\n  b\n  ```\n", 30)
    assert lines[0].startswith(" python") and lines[0].endswith("copy: /copy 1")
    assert lines[1:4] == [" if x:", "     return first + second +", "       third"]
    assert any("copy: /copy 2" in line for line in lines)


def test_a_line_without_spaces_is_cut_where_it_must():
    from rich.text import Text

    assert [part.plain for part in hung(Text("  " + "x" * 20), 10)] == [
        "  xxxxxxxx",
        "    xxxxxx",
        "    xxxxxx",
    ]
    assert [part.plain for part in hung(Text("漢字" * 4), 8)] == ["漢字漢字", "  漢字漢", "  字"]


def test_a_long_program_that_grows_is_labelled_once():
    text = "```python\n" + "x = 1\n" * 300
    stream = MarkdownStream(Painter(60, {}, True))
    for end in range(0, len(text), 50):
        stream.feed(text[:end])
    lines = [strip.text for strip in (*stream.done, *stream.tail)]
    assert sum("/copy" in line for line in lines) == 1
