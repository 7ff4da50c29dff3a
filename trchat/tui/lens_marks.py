"""Marks in drawn Markdown what was guessed ahead, though the drawing has lost its source's places.

Drawn text is the source's characters in their order, without the markup and with other breaks. So both are
walked side by side: a drawn character is the next equal one in the source when only markup lies between,
and where the two have parted the rest of the drawn word is looked for.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from trchat.session.news import Piece

MARKUP = frozenset("*_~`#>-+=|\\:!()[]<>&;. \t\n")
EMPHASIS = "*_~`"
WORD = 6
"""Drawn characters that must agree where the two walks meet again."""
AHEAD = 400
"""Characters of the source in which they may meet."""
UNDERLINED = Style(underline=True)


class Marks:
    """Which characters of an answer were guessed, and by whom."""

    def __init__(self, colour: Callable[[str], str | None] | None = None) -> None:
        """``colour`` gives the colour of a source; without it all are underlined alike."""
        self.shift = 0
        """Where the shown text begins in the text that the pieces make up; negative when it begins before."""
        self._colour = colour
        self._starts: list[int] = []
        self._styles: list[Style | None] = []
        self._end = 0
        self._by_source: dict[str, Style] = {}

    def add(self, pieces: Sequence[Piece]) -> None:
        """Take in what is new; the pieces' texts must be ``visible``."""
        for piece in pieces:
            style = self._style(piece)
            if not self._styles or self._styles[-1] is not style:
                self._starts.append(self._end)
                self._styles.append(style)
            self._end += len(piece.text)

    def emptied(self) -> "Marks":
        """Others of the same colours, for pieces that take the place of those before."""
        return Marks(self._colour)

    def applied(self, strips: list[Strip], text: str, start: int, end: int) -> list[Strip]:
        """``strips``, which were drawn of ``text[start:end]``, with what was guessed marked."""
        return [
            self._marked(strip, cells)
            for strip, cells in zip(strips, source_of_cells(strips, text, start, end), strict=True)
        ]

    def _style(self, piece: Piece) -> Style | None:
        if not piece.drafted:
            return None
        if self._colour is None:
            return UNDERLINED
        if piece.source not in self._by_source:
            self._by_source[piece.source] = UNDERLINED + Style(color=self._colour(piece.source))
        return self._by_source[piece.source]

    def _at(self, place: int | None) -> Style | None:
        if place is None or not 0 <= place + self.shift < self._end:
            return None
        return self._styles[bisect_right(self._starts, place + self.shift) - 1]

    def _marked(self, strip: Strip, places: Sequence[int | None]) -> Strip:
        """``strip`` with the style of each character's place laid over it."""
        cuts: list[int] = []
        styles: list[Style | None] = []
        cell = 0
        end = len(strip.text.rstrip())
        for index, (character, place) in enumerate(zip(strip.text, places, strict=True)):
            style = self._at(place) if index < end else None
            if not styles or styles[-1] is not style:
                cuts.append(cell)
                styles.append(style)
            cell += get_character_cell_size(character)
        if not any(styles):
            return strip
        parts = strip.divide([*cuts[1:], strip.cell_length])
        return Strip.join(
            _over(part, style) if style else part for part, style in zip(parts, styles, strict=False)
        )


def _over(strip: Strip, style: Style) -> Strip:
    """``strip`` with ``style`` laid over its own; Strip.apply_style would lay it below."""
    return Strip([Segment(text, own + style if own else style) for text, own, _ in strip], strip.cell_length)


def source_of_cells(strips: Sequence[Strip], text: str, start: int, end: int) -> list[list[int | None]]:
    """For each line's characters, where in ``text[start:end]`` each comes from; None = it is decoration."""
    drawn = "\n".join(strip.text for strip in strips)
    if text.startswith(("```", "~~~"), start):
        start = min(text.find("\n", start) + 1 or end, end)  # the language's name is not drawn
    places: list[int | None] = []
    at = start
    for index, character in enumerate(drawn):
        place = None
        if not character.isspace():
            place = _next(text, at, end, character)
            if place is None:
                place = _meet(text, at, end, drawn, index)
        elif character == " ":
            place = _space(text, at, end)
        if place is not None:
            at = place + 1
        places.append(place)
    lines: list[list[int | None]] = []
    at = 0
    for strip in strips:
        length = len(strip.text)
        lines.append(places[at : at + length])
        at += length + 1
    return lines


def _next(text: str, at: int, end: int, character: str) -> int | None:
    """The next ``character``, when there is only markup before it."""
    while at < end:
        if text[at] == character:
            return at
        if text[at] not in MARKUP:
            return None
        at += 1
    return None


def _space(text: str, at: int, end: int) -> int | None:
    """The space that stands here, or behind the end of something emphasised."""
    while at < end and text[at] in EMPHASIS:
        at += 1
    return at if at < end and text[at] in " \t" else None


def _meet(text: str, at: int, end: int, drawn: str, index: int) -> int | None:
    """Where the drawn word that begins at ``index`` stands in the source, if it is near."""
    word = drawn[index : index + WORD].split(maxsplit=1)[0]
    if len(word) < 2:
        return None
    place = text.find(word, at, min(at + AHEAD, end))
    return place if place >= 0 else None
