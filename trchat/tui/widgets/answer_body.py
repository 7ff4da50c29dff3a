"""An answer's text as it streams: Markdown in parts, of which only the last one is drawn again."""

from textual.app import ComposeResult
from textual.containers import Vertical

from trchat.tui.segments import cut_point
from trchat.tui.widgets.safe_markdown import SafeMarkdown


class AnswerBody(Vertical):
    """Streams Markdown; ``finish`` draws the last part once more, so that what stays is right."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._first, self._rest = _parts(text)
        self._text = text
        self._last = ""

    @property
    def text(self) -> str:
        """All of the text."""
        return self._text

    def compose(self) -> ComposeResult:
        """Long texts that are complete come in parts as well."""
        for part in [self._first, *self._rest]:
            yield SafeMarkdown(part)
        self._last = self._rest[-1] if self._rest else self._first

    async def show(self, text: str) -> None:
        """Show ``text``: what is new in it is appended, unless it differs from what is there."""
        if not text.startswith(self._text):
            await self._replace(text)
            return
        new = text[len(self._text) :]
        if not new:
            return
        self._text, self._last = text, self._last + new
        cut = cut_point(self._last)
        if cut is None:
            await self._end.append(new)
            return
        done, self._last = self._last[:cut], self._last[cut:]
        await self._end.update(done)
        await self.mount(SafeMarkdown(self._last))

    async def finish(self, text: str) -> None:
        """Show ``text`` for good."""
        await self.show(text)
        await self._end.update(self._last)

    @property
    def _end(self) -> SafeMarkdown:
        return self.query(SafeMarkdown).last()

    async def _replace(self, text: str) -> None:
        self._text = self._last = text
        parts = self.query(SafeMarkdown)
        for part in list(parts)[1:]:
            await part.remove()
        await parts.first().update(text)


def _parts(text: str) -> tuple[str, list[str]]:
    """A complete text, cut as streaming would have cut it."""
    parts: list[str] = []
    rest = text
    while (cut := cut_point(rest)) is not None:
        rest, tail = rest[:cut], rest[cut:]
        parts.insert(0, tail)
    return rest, parts
