"""A growing Markdown text as lines: what can no longer change is drawn once, and only the end again.

However long the text is, taking in more of it costs the same: complete blocks are done with, and of a block
that grows long itself (a program, a list, an endless paragraph) the part before its last lines as well. Where
it was cut the drawing may differ from a fresh one; ``finish`` makes it right.
"""

from dataclasses import dataclass
from itertools import pairwise

from textual.strip import Strip

from trchat.text.code_block import code_blocks
from trchat.tui.lens_marks import Marks, source_of_cells
from trchat.tui.markdown_lines import Painter
from trchat.tui.markdown_parser import Block, blocks

LONG = 600
"""Characters of a last block, from which on its beginning is done with."""
KEPT_LINES = 3
"""Lines at its end that stay open: a line of code may become the closing fence."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where the open end begins anew, and what has to stand before it to be read rightly."""

    at: int
    resume: str = ""
    lines: tuple[Strip, ...] | None = None


class MarkdownStream:
    """``feed`` takes the text as it grows, ``finish`` the whole of it; the text must be ``visible``."""

    def __init__(self, painter: Painter, marks: Marks | None = None) -> None:
        """``marks`` underlines what was guessed; it must know a text before that is fed."""
        self.text = ""
        self.done: list[Strip] = []
        self.tail: list[Strip] = []
        self._painter = painter
        self._marks = marks
        self._at = 0
        self._resume = ""
        self._last: Block | None = None
        self._counted: dict[int, int] = {}

    @property
    def height(self) -> int:
        """Lines so far."""
        return len(self.done) + len(self.tail)

    def line(self, y: int) -> Strip | None:
        """One line, from 0; None below the last."""
        if y < len(self.done):
            return self.done[y]
        y -= len(self.done)
        return self.tail[y] if y < len(self.tail) else None

    def feed(self, text: str) -> None:
        """Take in ``text``, which begins with the one before."""
        self._take(text)
        cut = self._cut()
        while cut is not None:
            self.done.extend(cut.lines if cut.lines is not None else self._paint_until(cut.at))
            self._at, self._resume = cut.at, cut.resume
            self._take(text)
            cut = self._cut()

    def finish(self, text: str) -> None:
        """Draw ``text`` again as a whole."""
        self.done, self._at, self._resume = [], 0, ""
        self._take(text)

    def _take(self, text: str) -> None:
        self.text = text
        source, found = self._open_blocks()
        lines = source.split("\n") if len(found) > 1 else []
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line) + 1)
        origin = self._at - len(self._resume)
        for block, following in pairwise(found):
            end = origin + starts[following.first]
            self.done.extend((*self._paint(block, self._at, end), Strip([])))
            self._at, self._resume = end, ""
        self._last = found[-1] if found else None
        self.tail = self._paint(found[-1], self._at, len(text)) if found else []

    def _open_blocks(self) -> tuple[str, list[Block]]:
        source = self._resume + self.text[self._at :]
        return source, blocks(source)

    def _paint(self, block: Block, start: int, end: int) -> list[Strip]:
        continued = bool(self._resume) and start == self._at
        strips = self._painter.paint(block, self._code_number(block, start), continued)
        if not self._marks:
            return strips
        # The first line of a code block names it, and is none of the text.
        named = 1 if block.tokens[0].type == "fence" and not continued else 0
        return [*strips[:named], *self._marks.applied(strips[named:], self.text, start, end)]

    def _code_number(self, block: Block, start: int) -> int:
        """What the first code block in ``block``, which begins at ``start``, is called: they are counted."""
        if not any(token.type == "fence" for token in block.tokens):
            return 1
        if start not in self._counted:
            self._counted[start] = len(code_blocks(self.text[:start])) + 1
        return self._counted[start]

    def _paint_until(self, end: int) -> list[Strip]:
        """The open end up to ``end``, as a block of its own."""
        strips: list[Strip] = []
        for block in blocks(self._resume + self.text[self._at : end]):
            strips += self._paint(block, self._at, end)
        return strips

    def _cut(self) -> _Cut | None:
        """How to shorten the last block where it has grown long."""
        if self._last is None or len(self.text) - self._at < LONG:
            return None
        match self._last.tokens[0].type:
            case "fence":
                return self._cut_code()
            case "bullet_list_open" | "ordered_list_open":
                return self._cut_list(self._last)
            case "paragraph_open":
                return self._cut_paragraph()
        return None

    def _cut_code(self) -> _Cut | None:
        opened = self._resume or self.text[self._at :].partition("\n")[0] + "\n"
        end = len(self.text)
        for _ in range(KEPT_LINES):
            end = self.text.rfind("\n", self._at, max(end, self._at))
        first = self._at + (0 if self._resume else len(opened))
        return _Cut(end + 1, opened) if end >= first else None

    def _cut_list(self, block: Block) -> _Cut | None:
        items = [
            token.map[0]
            for token in block.tokens
            if token.type == "list_item_open" and token.level == 1 and token.map
        ]
        if len(items) < 2:
            return None
        at = self._at
        for _ in range(items[-1] - block.first):
            at = self.text.index("\n", at) + 1
        return _Cut(at)

    def _cut_paragraph(self) -> _Cut | None:
        if len(self.tail) <= KEPT_LINES:
            return None
        cells = source_of_cells(self.tail, self.text, self._at, len(self.text))
        place = next((each for each in cells[-1] if each is not None), None)
        return _Cut(place, "", tuple(self.tail[:-1])) if place else None
