"""Markdown drawn while it grows: as right as a fresh drawing, and no dearer the longer it gets."""

import pytest

from trchat.tui.markdown_lines import Painter
from trchat.tui.markdown_stream import LONG, MarkdownStream

WIDTH = 60
PARTS = {
    "paragraphs": lambda n: f"Paragraph {n} with *some* `code` and words to fill a line or two of it.\n\n",
    "one paragraph": lambda n: f"sentence {n} goes on, and on; ",
    "a program": lambda n: ("```python\n" if n == 0 else "") + f"def f{n}(x):\n    return x + {n}\n\n",
    "a list": lambda n: f"{n + 1}. **Item** number {n} of a long list\n",
    "bullets": lambda n: f"- item number {n}\n  - and one below\n",
}


def lines(stream):
    return [strip.text.rstrip() for strip in (*stream.done, *stream.tail)]


class CountingPainter(Painter):
    """Counts the lines that it draws."""

    drawn = 0

    def paint(self, block, *how):
        strips = super().paint(block, *how)
        self.drawn += len(strips)
        return strips


def fresh(text):
    stream = MarkdownStream(Painter(WIDTH, {}, True))
    stream.finish(text)
    return lines(stream)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_more_text_costs_the_same_however_long_it_is(part):
    painter = CountingPainter(WIDTH, {}, True)
    stream = MarkdownStream(painter)
    text, costs = "", []
    for number in range(200):
        text += part(number)
        before = painter.drawn
        stream.feed(text)
        costs.append(painter.drawn - before)
    assert max(costs[100:]) <= 2 * max(costs[:50]) <= LONG


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_nothing_is_lost_while_it_grows_and_it_ends_as_a_fresh_drawing(part):
    stream = MarkdownStream(Painter(WIDTH, {}, True))
    text = ""
    for number in range(120):
        text += part(number)
        stream.feed(text)
    words = "".join(lines(stream)).replace(" ", "")
    assert words == "".join(fresh(text)).replace(" ", "")
    stream.finish(text)
    assert lines(stream) == fresh(text)


def test_text_after_a_long_program_is_no_program():
    stream = MarkdownStream(Painter(WIDTH, {}, True))
    text = "```\n" + "a line of it\n" * 100
    stream.feed(text)
    text += "```\n\nIt was a **program**.\n"
    stream.feed(text)
    assert lines(stream)[-1] == "It was a program."
    assert "```" not in "".join(lines(stream))


def test_letter_by_letter_is_the_same():
    text = "# Title\n\n" + "word " * 300 + "\n\n```py\n" + "x = 1\n" * 200 + "```\n\n- one\n- two\n\nend"
    stream = MarkdownStream(Painter(WIDTH, {}, True))
    for end in range(1, len(text) + 1, 7):
        stream.feed(text[:end])
    stream.feed(text)
    assert "".join(lines(stream)).replace(" ", "") == "".join(fresh(text)).replace(" ", "")
