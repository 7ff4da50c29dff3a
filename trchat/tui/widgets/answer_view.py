"""An answer: its reasoning folded away, its text, how it went, and what the draft lens knows of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.widgets import Collapsible, Static

from trchat.chat.formats.interface import Said
from trchat.session.news import ENDS, Compared, Grown, Piece, Speed
from trchat.storage.records import Message
from trchat.text.visible import visible
from trchat.tui.lens_marks import Marks
from trchat.tui.widgets.answer_body import AnswerBody
from trchat.tui.widgets.message_view import MessageView, occurrences
from trchat.tui.widgets.status_line import ratio_text


class AnswerView(MessageView):
    """Grows while the model writes."""

    def __init__(
        self, message: Message, branch: tuple[int, int] = (1, 1), model: str = "", growing: bool = False
    ) -> None:
        """``model``: the one in use; an answer by another one says so. ``growing``: it is being written."""
        super().__init__(message, branch)
        self._growing = growing
        self._model = model
        self._said = Said()
        """All that was written while it was watched, made visible."""
        self._opening = message
        """What it said before that."""
        self._reasoning = message.reasoning
        self._pieces: list[Piece] = []
        self._marks: Marks | None = None
        self._wanted = ""
        # Held here: words may still come while the screen is being taken down, part by part.
        self._thoughts = Static("", markup=False, classes="thoughts")
        self._folded = Collapsible(self._thoughts, title="Reasoning", classes="reasoning")
        self._body = AnswerBody(message.text)
        self._notice = Static("", classes="notice", markup=False)
        self._below = Static("", classes="info", markup=False)

    def compose(self) -> ComposeResult:
        """All parts; those that are empty are hidden."""
        self._folded.display = bool(self._reasoning)
        self._notice.display = False
        self._below.update(self._info(None))
        self._below.display = not self._growing
        yield from (self._folded, self._body, self._notice, self._below)

    @property
    def pieces(self) -> Sequence[Piece]:
        """The answer cut by who wrote it; empty for one that was written before."""
        return self._pieces

    @property
    def thinking(self) -> bool:
        """Whether there is nothing but reasoning yet."""
        return bool(self._reasoning) and not self._body.text.strip()

    def grow(self, grown: Grown) -> None:
        """Take in what is new."""
        said = grown.said
        self._said += Said(visible(said.reasoning), visible(said.text), said.recast)
        if said.recast:
            self._pieces = []
            if self._marks:
                self._marks = self._marks.emptied()
                self._body.mark(self._marks)
        pieces = [replace(piece, text=visible(piece.text)) for piece in grown.pieces]
        self._pieces += pieces
        if self._marks:
            self._marks.add(pieces)
        reasoning = (self._opening.reasoning or "") + self._said.reasoning
        if reasoning and reasoning != self._reasoning:
            self._show_reasoning(reasoning)
        self._show(visible(self._opening.text) + self._said.text)

    def go_on(self) -> None:
        """What comes from now on continues the answer."""
        if not self._pieces:
            self._opening, self._said = self.message, Said()
        self._below.display = False

    def finish(self, message: Message, speed: Speed | None, error: str | None) -> int:
        """Show the answer as it was saved; returns how many lines lower it is now than while it grew."""
        self.message = message
        if message.reasoning:
            self._show_reasoning(message.reasoning)
        room = self._body.room
        self._show(visible(message.text), growing=False)
        self._below.update(self._info(speed))
        self._below.display = True
        if error:
            self.say(error)
        return max(room - 1, 0)

    def say(self, text: str, compared: bool = False) -> None:
        """Put a notice below the answer: something went wrong, or how a comparison went."""
        self._notice.set_class(compared, "compared")
        self._notice.update(visible(text))
        self._notice.display = True

    def compared(self, result: Compared) -> None:
        """Show how plain decoding did."""
        if result.error:
            self.say(f"The comparison failed: {result.error}")
            return
        ratio = result.tokens_per_s / result.plain_tokens_per_s if result.plain_tokens_per_s else 0.0
        texts = (
            "the texts are identical"
            if result.identical
            else f"the texts differ after {result.same} characters"
        )
        self.say(
            f"Compared   draft {result.mode:<9}  {result.tokens_per_s:6.1f} tokens/s\n"
            f"           draft {'off':<9}  {result.plain_tokens_per_s:6.1f} tokens/s\n"
            f"           {ratio:.2f}x over {result.tokens} tokens; {texts}",
            compared=True,
        )

    def mark_found(self, wanted: str) -> None:
        """Mark every place where these words stand."""
        self._wanted = wanted
        self._body.mark_found(wanted)

    def line_of_match(self, number: int) -> int:
        """On which line the match stands; the last one with a match, where drawing has broken some in two."""
        matches = [y for y, line in enumerate(self._body.lines) for _ in occurrences(line, self._wanted)]
        y = matches[min(number, len(matches) - 1)] if matches else 0
        return self._body.virtual_region.y + y

    def set_lens(self, on: bool, colour: Callable[[str], str | None] | None = None) -> None:
        """Mark what was guessed ahead, where ``colour`` is given by who guessed it, or no longer."""
        self._marks = None
        if on and (self._pieces or self._growing):
            self._marks = Marks(colour)
            self._marks.add(self._pieces)
            self._marks.shift = len(self._said.text) - len(self._body.text)
        self._body.mark(self._marks)

    def _show(self, text: str, growing: bool = True) -> None:
        if self._marks:
            self._marks.shift = len(self._said.text) - len(text)
        if growing:
            self._body.show(text)
        else:
            self._body.finish(text)

    def _show_reasoning(self, reasoning: str) -> None:
        self._reasoning = reasoning
        self._folded.display = bool(reasoning)
        if not self._folded.collapsed:
            self._unfold()

    @on(Collapsible.Expanded)
    def _unfold(self) -> None:
        # Only where somebody looks at it: laying it out again for every word would cost the model its time.
        self._thoughts.update(visible(self._reasoning or ""))

    def _info(self, speed: Speed | None) -> str:
        message = self.message
        parts = [self.branch_text, message.model if message.model and message.model != self._model else ""]
        if message.completion_tokens:
            plural = "" if message.completion_tokens == 1 else "s"
            parts.append(f"{message.completion_tokens} token{plural}")
        if message.tokens_per_s:
            parts.append(f"{message.tokens_per_s:.1f} tokens/s")
        if speed:
            parts.append(ratio_text(speed))
        parts.append("interrupted" if message.interrupted else ENDS.get(message.finish_reason or "", ""))
        return " · ".join(visible(part) for part in parts if part)
