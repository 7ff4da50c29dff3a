"""An answer: its reasoning folded away, its text, how it went, and what the draft lens knows of it."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import Collapsible, Static

from trchat.chat.reasoning import split_reasoning
from trchat.session.news import Compared, Grown, Piece, Speed
from trchat.storage.records import Message
from trchat.text.visible import visible
from trchat.tui.widgets.answer_body import AnswerBody
from trchat.tui.widgets.lens_text import LensText
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.status_line import ratio_text

ENDS = {
    "cancelled": "stopped",
    "length": "cut by the token limit · /continue goes on",
    "context": "cut because the context is full",
    "error": "broken off",
}


class AnswerView(MessageView):
    """Grows while the model writes."""

    def __init__(self, message: Message, branch: tuple[int, int] = (1, 1)) -> None:
        super().__init__(message, branch)
        self._raw = ""
        self._opening = message.text
        self._reasoning = message.reasoning
        self._pieces: list[Piece] = []
        self._lens: LensText | None = None

    def compose(self) -> ComposeResult:
        """All parts; those that are empty are hidden."""
        folded = Collapsible(
            Static(visible(self._reasoning or ""), markup=False, classes="thoughts"),
            title="Reasoning",
            classes="reasoning",
        )
        folded.display = bool(self._reasoning)
        yield folded
        yield AnswerBody(self.message.text)
        notice = Static("", classes="notice", markup=False)
        notice.display = False
        yield notice
        info = Static(self._info(None), classes="info", markup=False)
        info.display = not self.message.interrupted
        yield info

    @property
    def pieces(self) -> Sequence[Piece]:
        """The answer cut by who wrote it; empty for one that was written before."""
        return self._pieces

    async def grow(self, grown: Grown) -> None:
        """Take in what is new."""
        self._raw += grown.text
        self._pieces.extend(grown.pieces)
        if self._opening:
            # A continued answer: what was there is no longer looked at for reasoning.
            self._body.show(self._opening + self._raw)
        else:
            reasoning, text = split_reasoning(self._raw, grown.reasoning_opener)
            if reasoning is not None and reasoning != self._reasoning:
                self._show_reasoning(reasoning)
            self._body.show(text)
        if self._lens is not None:
            await self._lens.append(grown.pieces)

    def go_on(self) -> None:
        """What comes from now on continues the answer."""
        self._opening, self._raw = self.message.text, ""
        self.query_one(".info").display = False

    async def finish(self, message: Message, speed: Speed | None, error: str | None) -> None:
        """Show the answer as it was saved."""
        self.message = message
        if message.reasoning:
            self._show_reasoning(message.reasoning)
        self._body.finish(message.text)
        info = self.query_one(".info", Static)
        info.update(self._info(speed))
        info.display = True
        if error:
            self.say(error)

    def say(self, text: str) -> None:
        """Put a notice below the answer."""
        notice = self.query_one(".notice", Static)
        notice.update(visible(text))
        notice.display = True

    def compared(self, result: Compared) -> None:
        """Show how plain decoding did."""
        if result.error:
            self.say(f"The comparison failed: {result.error}")
            return
        ratio = result.tokens_per_s / result.plain_tokens_per_s if result.plain_tokens_per_s else 0.0
        texts = (
            "the texts are identical"
            if result.identical
            else f"the texts part after {result.same} characters"
        )
        self.say(
            f"A/B   draft {result.mode:<9}  {result.tokens_per_s:6.1f} tokens/s\n"
            f"      draft {'off':<9}  {result.plain_tokens_per_s:6.1f} tokens/s\n"
            f"      {ratio:.2f}x over {result.tokens} tokens; {texts}"
        )

    async def set_lens(self, on: bool, colours: bool = False) -> None:
        """Show the text token by token instead of as Markdown, or as Markdown again."""
        if self._lens is not None:
            await self._lens.remove()
            self._lens = None
        if on and (self._pieces or self.message.interrupted):
            self._lens = LensText(self._pieces, colours)
            await self.mount(self._lens, after=self._body)
        self._body.display = self._lens is None

    @property
    def _body(self) -> AnswerBody:
        return self.query_one(AnswerBody)

    def _show_reasoning(self, reasoning: str) -> None:
        self._reasoning = reasoning
        folded = self.query_one(Collapsible)
        folded.query_one(".thoughts", Static).update(visible(reasoning))
        folded.display = bool(reasoning)

    def _info(self, speed: Speed | None) -> str:
        message = self.message
        parts = [self.branch_text, message.model or ""]
        if message.completion_tokens:
            parts.append(f"{message.completion_tokens} tokens")
        if message.tokens_per_s:
            parts.append(f"{message.tokens_per_s:.1f} tokens/s")
        if speed:
            parts.append(ratio_text(speed))
        parts.append("interrupted" if message.interrupted else ENDS.get(message.finish_reason or "", ""))
        return " · ".join(visible(part) for part in parts if part)
