"""An answer as the draft lens shows it: every token that was guessed ahead is underlined."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from trchat.session.news import Piece
from trchat.text.visible import visible

PART = 1200
"""Characters in one widget: a long answer is drawn in parts, and only the last one again."""

COLOURS = ("$accent", "$success", "$warning", "$error", "$secondary", "$primary")
"""By source, in the order the sources appear."""


class LensText(Vertical):
    """Plain text in which drafted tokens are underlined and, if wanted, coloured by their source."""

    def __init__(self, pieces: Iterable[Piece] = (), colours: bool = False) -> None:
        super().__init__()
        self._last = Content()
        self._colours = colours
        self._sources: dict[str, str] = {}
        self._parts = self._cut(pieces)

    def compose(self) -> ComposeResult:
        """One widget a part."""
        for part in self._parts:
            yield Static(part, markup=False)

    async def append(self, pieces: Iterable[Piece]) -> None:
        """Add what is new."""
        first, *more = self._cut(pieces)
        self.query(Static).last().update(first)
        if more:
            await self.mount_all(Static(part, markup=False) for part in more)

    def _cut(self, pieces: Iterable[Piece]) -> list[Content]:
        """The last part with the pieces, and further parts where it has grown too long."""
        parts = [self._last]
        for piece in pieces:
            parts[-1] = parts[-1] + Content.styled(visible(piece.text).expandtabs(4), self._style(piece))
            if len(parts[-1]) > PART and "\n" in piece.text:
                parts[-1] = parts[-1].rstrip("\n")
                parts.append(Content())
        self._last = parts[-1]
        return parts

    def _style(self, piece: Piece) -> str | Style:
        if not piece.drafted:
            return ""
        if not self._colours:
            return "underline"
        colour = self._sources.setdefault(piece.source, COLOURS[len(self._sources) % len(COLOURS)])
        return f"underline {colour}"
