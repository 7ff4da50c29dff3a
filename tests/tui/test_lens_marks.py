"""Guessed tokens are marked in the drawn Markdown, wherever its markup has moved them to."""

import pytest

from trchat.session.news import Piece
from trchat.tui.lens_marks import Marks
from trchat.tui.markdown_lines import Painter
from trchat.tui.markdown_stream import MarkdownStream

GUESSED = "§"
"""Stands around guessed text in these tests."""


def drawn(marked, width=60, colour=None, cut=None):
    """Draw ``marked``; returns the lines with the marks that are on the screen."""
    parts = marked.split(GUESSED)
    pieces = [Piece(part, index % 2 == 1, f"source {index}") for index, part in enumerate(parts) if part]
    text = "".join(parts)
    marks = Marks(colour)
    marks.add(pieces)
    stream = MarkdownStream(Painter(width, {}, True), marks)
    for end in range(cut or len(text), len(text), cut or 1):
        stream.feed(text[:end])
    if cut:
        stream.feed(text)
    else:
        stream.finish(text)
    return [line(strip) for strip in (*stream.done, *stream.tail)], stream


def line(strip):
    shown, inside = "", False
    for text, style, _ in strip:
        underlined = bool(style and style.underline)
        shown += GUESSED * (underlined != inside) + text
        inside = underlined
    return (shown + GUESSED * inside).rstrip()


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("Some §words of§ it.", ["Some §words of§ it."]),
        ("A **bold§ word** and§ more", ["A bold§ word and§ more"]),
        ("1. one\n2. §two§\n3. three", [" 1 one", " 2 §two§", " 3 three"]),
        ("- §an§ item\n- `co§de` too§", [" • §an§ item", " • co§de too§"]),
        ("# A §title§", ["A §title§", "━" * 60]),
        (
            "```python\npri§nt(1)§\n```\n\n§end§",
            [" python" + " " * 39 + "copy: /copy 1", " pri§nt(1)§", "", "§end§"],
        ),
        ("AT&amp;T §is§ it", ["AT&T §is§ it"]),
        ("§日本§語 wide", ["§日本§語 wide"]),
    ],
)
def test_marks_are_where_the_guessed_text_is(source, lines):
    shown, _ = drawn(source)
    assert [each.replace("§§", "") for each in shown] == lines


def test_marks_survive_wrapping_and_cutting():
    source = "a few words, §then guessed ones,§ " * 120
    shown, _ = drawn(source, cut=40)
    assert " ".join(shown).count("guessed") == 120
    words = [word for row in shown for word in marked_words(row)]
    assert words == ["then", "guessed", "ones,"] * 120


def marked_words(row):
    return [word for index, part in enumerate(row.split(GUESSED)) if index % 2 for word in part.split()]


def test_sources_have_colours_of_their_own():
    _, stream = drawn("§one§ and §two§", colour={"source 1": "#ff0000", "source 3": "#00ff00"}.get)
    colours = [
        style.color.name for strip in stream.tail for _, style, _ in strip if style and style.underline
    ]
    assert colours == ["#ff0000", "#00ff00"]
