"""An answer's text as it streams: Markdown drawn as lines, of which only the end is drawn again."""

import os
from time import perf_counter, thread_time

from rich.style import Style
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from trchat.text.visible import visible
from trchat.tui.markdown_lines import Painter, blocks

SHARE = min(0.005 * (os.cpu_count() or 1), 0.1)
"""Part of the time that drawing may take: where there are few cores, the model needs them all."""
LONGEST_REST_S = 0.4


class AnswerBody(Widget):
    """``show`` takes the text as it grows; ``finish`` draws all of it anew, so that what stays is right."""

    ALLOW_SELECT = True

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._drawn_text = ""
        self._done: list[Strip] = []
        self._done_at = 0
        self._tail: list[Strip] = []
        self._painter: Painter | None = None
        self._painted_theme = ""
        self._resting_until = 0.0
        self._later: Timer | None = None

    @property
    def text(self) -> str:
        """All of the text."""
        return self._text

    @property
    def lines(self) -> list[str]:
        """What is on the screen, line by line."""
        return [strip.text.rstrip() for strip in (*self._done, *self._tail)]

    def show(self, text: str) -> None:
        """Show ``text``, at once or, where drawing has become costly, a moment later."""
        if not text.startswith(self._drawn_text):
            self._forget()
        self._text = text
        wait = self._resting_until - perf_counter()
        if wait <= 0:
            self._draw()
        elif self._later is None:
            self._later = self.set_timer(wait, self._draw)

    def finish(self, text: str) -> None:
        """Show ``text`` for good."""
        self._forget()
        self._text = text
        self._draw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the text has at this width."""
        self._fit(width)
        return len(self._done) + len(self._tail)

    def render_line(self, y: int) -> Strip:
        """One line, with what is selected in it marked."""
        style = self.rich_style
        if y < len(self._done):
            strip = self._done[y]
        elif y - len(self._done) < len(self._tail):
            strip = self._tail[y - len(self._done)]
        else:
            return Strip.blank(self.size.width, style)
        strip = strip.crop_extend(0, self.size.width, None).apply_style(style)
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

    def notify_style_update(self) -> None:
        """Other colours need other lines."""
        if self.is_attached and self._painted_theme and self._painted_theme != self.app.theme:
            self._forget()
            self._draw()
        super().notify_style_update()

    def _forget(self) -> None:
        self._done, self._tail, self._done_at, self._drawn_text = [], [], 0, ""
        self._painter = None

    def _fit(self, width: int) -> None:
        if self._painter is None or (width > 0 and max(width, 8) != self._painter.width):
            self._forget()
            self._painted_theme = self.app.theme
            self._painter = Painter(width, self.app.theme_variables, self.app.current_theme.dark)
            self._paint()

    def _draw(self) -> None:
        if self._later is not None:
            self._later.stop()
            self._later = None
        width = self.size.width
        if not width:
            self.refresh(layout=True)
            return
        self._resting_until = perf_counter() + LONGEST_REST_S
        self.call_after_refresh(self._rest, thread_time())
        height, old = len(self._done) + len(self._tail), self._tail
        self._fit(width)
        if self._drawn_text != self._text:
            self._paint()
        if len(self._done) + len(self._tail) != height:
            self.refresh(layout=True)
            return
        changed = [row for row, (one, other) in enumerate(zip(old, self._tail, strict=False)) if one != other]
        if len(old) != len(self._tail):
            self.refresh()
        elif changed:
            top = len(self._done) + changed[0]
            self.refresh(Region(0, top, width, changed[-1] - changed[0] + 1))

    def _rest(self, start: float) -> None:
        """Now that all is on the screen: what it cost decides when to draw again."""
        self._resting_until = perf_counter() + min((thread_time() - start) / SHARE, LONGEST_REST_S)

    def _paint(self) -> None:
        """Draw what is new: blocks before the last one can no longer change and are kept."""
        assert self._painter is not None
        source = self._text[self._done_at :]
        found = blocks(visible(source))
        if len(found) > 1:
            lines = source.split("\n")
            for block in found[:-1]:
                self._done.extend((*self._painter.paint(block), Strip([])))
            self._done_at += sum(len(line) + 1 for line in lines[: found[-1].first])
        self._tail = self._painter.paint(found[-1]) if found else []
        self._drawn_text = self._text


def _marked(strip: Strip, span: tuple[int, int], style: Style) -> Strip:
    """``strip`` with the cells from ``span[0]`` to ``span[1]`` (-1 = its end) in another style."""
    start, end = span
    end = strip.cell_length if end == -1 else end
    before, inside, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
    return Strip.join([before, inside.apply_style(style), after])
