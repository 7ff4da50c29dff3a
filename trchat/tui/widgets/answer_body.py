"""An answer's text as it streams: Markdown drawn as lines, of which only the end is drawn again."""

import os
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from trchat.text.visible import visible
from trchat.tui.lens_marks import Marks
from trchat.tui.widgets.message_view import occurrences

if TYPE_CHECKING:
    from trchat.tui.markdown_stream import MarkdownStream

SHARE = min(0.003 * (os.cpu_count() or 1), 0.1)
"""Part of the time that drawing may take: where there are few cores, the model needs them all."""
CODE_NUMBER = "code_number"
"""As trchat.tui.markdown_lines has it, which is not loaded before there is an answer."""
LONGEST_REST_S = 0.4
LONGEST_ROOM_S = 1.5
"""A growing answer takes room for some time ahead: laying out the screen for each line would cost ten times
as much as drawing the line does. How long depends on what a layout costs, as with drawing."""
ROOM_SHARE = 5
"""The room is at most one part in so many of the screen's height."""


class AnswerBody(Widget):
    """``show`` takes the text as it grows; ``finish`` draws all of it anew, so that what stays is right."""

    ALLOW_SELECT = True
    virtual_size = Reactive(Size(0, 0))
    """As Textual's, but a new size asks for no second layout: nothing depends on it here."""

    class CodeWanted(Message):
        """The user wants a copy of the code block with this number, from 1."""

        def __init__(self, body: "AnswerBody", number: int) -> None:
            super().__init__()
            self.body = body
            self.number = number

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = visible(text)
        self._stream: MarkdownStream | None = None
        self._marks: Marks | None = None
        self._width = 0
        self._growing = False
        self._painted_theme = ""
        self._resting_until = 0.0
        self._later: Timer | None = None
        self._found = ""
        self._style = Style.null()
        self._reserved = 0
        self._room_s = LONGEST_ROOM_S
        self._begun_at = 0.0
        self._begun_height = 0

    @property
    def text(self) -> str:
        """All of the text."""
        return self._text

    @property
    def lines(self) -> list[str]:
        """What is on the screen, line by line."""
        stream = self._stream
        return [strip.text.rstrip() for strip in (*stream.done, *stream.tail)] if stream else []

    @property
    def room(self) -> int:
        """Empty lines kept below a growing text."""
        return self._reserved - self._stream.height if self._stream else 0

    def show(self, text: str) -> None:
        """Show a ``visible`` text that grows, at once or, where drawing is costly, a moment later."""
        if self._stream is not None and not text.startswith(self._stream.text):
            self._stream = None
        self._text = text
        if not self._growing:
            self._growing, self._begun_at = True, perf_counter()
            self._begun_height = self._reserved
        wait = self._resting_until - perf_counter()
        if wait <= 0:
            self._draw()
        elif self._later is None and self.is_attached:
            self._later = self.set_timer(wait, self._draw)

    def finish(self, text: str) -> None:
        """Show a ``visible`` text for good."""
        self._text = text
        self._growing = False
        self._stream = None
        self._draw()

    def mark(self, marks: Marks | None) -> None:
        """Mark what was guessed, or nothing any more."""
        if marks is not self._marks:
            self._marks = marks
            self._stream = None
            self._draw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the text has at this width, and some more while it grows."""
        height = self._fit(width).height
        if not self._growing:
            self._reserved = height
        elif height > self._reserved:
            self._reserved = height + self._ahead(height)
        return self._reserved

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines that are on the screen."""
        self._style = self.rich_style  # to ask for it takes as long as to draw a line
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line, with what is selected in it marked."""
        style = self._style
        strip = self._stream.line(y) if self._stream else None
        if strip is None:
            return Strip.blank(self.size.width, style)
        strip = strip.crop_extend(0, self.size.width, None).apply_style(style)
        for start in occurrences(strip.text, self._found):
            cells = cell_len(strip.text[:start]), cell_len(strip.text[: start + len(self._found)])
            strip = _marked(strip, cells, Style(bold=True, reverse=True))
        selection = self.text_selection
        span = selection.get_span(y) if selection else None
        if span is not None:
            strip = _marked(strip, span, self.screen.get_component_rich_style("screen--selection"))
        return strip.apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text under the selection."""
        return selection.extract("\n".join(self.lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Show what is selected."""
        self.refresh()

    def mark_found(self, wanted: str) -> None:
        """Mark every place where these words stand; empty marks none."""
        self._found = wanted
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click on a code block's first line copies it."""
        number = event.style.meta.get(CODE_NUMBER)
        if number:
            event.stop()
            self.post_message(self.CodeWanted(self, int(number)))

    def notify_style_update(self) -> None:
        """Other colours need other lines."""
        if self.is_attached and self._painted_theme and self._painted_theme != self.app.theme:
            self._stream = None
            self._draw()
        super().notify_style_update()

    def _ahead(self, height: int) -> int:
        """Lines that will come until the next layout may, as fast as they have come so far."""
        grown = max(height - self._begun_height, 1)
        seconds = max(perf_counter() - self._begun_at, LONGEST_REST_S)
        most = max(self.app.size.height // ROOM_SHARE, 1)
        return min(int(grown / seconds * self._room_s), most)

    def _fit(self, width: int) -> "MarkdownStream":
        width = max(width, 8) if width else self._width
        if self._stream is None or width != self._width:
            if width != self._width:
                self._width, self._reserved = width, 0
            self._painted_theme = self.app.theme
            # The parser and the highlighter take a tenth of the start: they come with the first answer.
            from trchat.tui.markdown_lines import Painter
            from trchat.tui.markdown_stream import MarkdownStream

            painter = Painter(width, self.app.theme_variables, self.app.current_theme.dark)
            self._stream = MarkdownStream(painter, self._marks)
            if self._growing:
                self._stream.feed(self._text)
            else:
                self._stream.finish(self._text)
        elif self._stream.text != self._text:  # it grew before it had a place on the screen
            self._stream.feed(self._text)
        return self._stream

    def _draw(self) -> None:
        if self._later is not None:
            self._later.stop()
            self._later = None
        if not self.is_attached:  # the screen is being taken down
            return
        if not self.size.width:
            self.refresh(layout=True)
            return
        self._resting_until = perf_counter() + LONGEST_REST_S
        start = thread_time()
        old = [*self._stream.tail] if self._stream else None
        first = len(self._stream.done) if self._stream else 0
        stream = self._fit(self.size.width)
        lay_out = stream.height > self._reserved or (not self._growing and stream.height < self._reserved)
        self.call_after_refresh(self._rest, start, lay_out)
        if lay_out:
            self.refresh(layout=True)
        elif old is None:
            self.refresh()
        else:
            new = [*stream.done[first:], *stream.tail]
            old += [Strip([])] * (len(new) - len(old))
            changed = [row for row, (one, other) in enumerate(zip(old, new, strict=False)) if one != other]
            if len(old) > len(new):
                self.refresh()
            elif changed:
                self.refresh(Region(0, first + changed[0], self.size.width, changed[-1] - changed[0] + 1))

    def _rest(self, start: float, laid_out: bool) -> None:
        """Now that all is on the screen: what it cost decides when to draw, or lay out, again."""
        rest = (thread_time() - start) / SHARE
        self._resting_until = perf_counter() + min(rest, LONGEST_REST_S)
        if laid_out:
            self._room_s = min(rest, LONGEST_ROOM_S)


def _marked(strip: Strip, span: tuple[int, int], style: Style) -> Strip:
    """``strip`` with the cells from ``span[0]`` to ``span[1]`` (-1 = its end) in another style."""
    start, end = span
    end = strip.cell_length if end == -1 else end
    before, inside, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
    return Strip.join([before, inside.apply_style(style), after])
