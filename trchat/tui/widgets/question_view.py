"""What the user (or the system prompt) said, as it was typed, below the files it was sent with."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from trchat.session.attachments import attachments_of
from trchat.storage.records import Message
from trchat.text.visible import visible
from trchat.tui.widgets.message_view import FOUND, MessageView, occurrences

SHOWN_AT_MOST = 4000
"""Characters; more of a file would fill the screen many times over."""


class QuestionView(MessageView):
    """A question or a system prompt: plain text, nothing in it is markup. Files are a line until unfolded."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "unfold", "Show files", show=False),
    ]

    def __init__(self, message: Message, branch: tuple[int, int] = (1, 1)) -> None:
        """``branch``: which of how many the message is on, from 1."""
        super().__init__(message, branch)
        self._files, question = attachments_of(message.text) if message.role == "user" else ([], message.text)
        self._question = question if self._files else message.text

    def compose(self) -> ComposeResult:
        """Files, text, and the branch where there are several."""
        if self.message.role == "system":
            yield Static("System prompt", classes="label", markup=False)
        if self._files:
            yield Static(self._chips(False), classes="chips", markup=False)
            contents = "\n\n".join(f"{file.name}\n{_shown(file.text)}" for file in self._files)
            unfolded = Static(visible(contents), classes="files", markup=False)
            unfolded.display = False
            yield unfolded
        if self._question.strip():
            yield Static(_shown(self._question), markup=False, classes="said")
        if self.branch_text:
            yield Static(self.branch_text, classes="info", markup=False)

    def mark_found(self, wanted: str) -> None:
        """Mark every place where these words stand."""
        if self._question.strip():
            shown = _shown(self._question)
            said = Content(shown)
            for start in occurrences(shown, wanted):
                said = said.stylize(FOUND, start, start + len(wanted))
            self.query_one(".said", Static).update(said)

    def action_unfold(self) -> None:
        """Show what is in the files, or no longer."""
        if self._files:
            contents = self.query_one(".files")
            contents.display = not contents.display
            self.query_one(".chips", Static).update(self._chips(contents.display))

    def on_click(self, event: events.Click) -> None:
        """A click on the files' line unfolds them."""
        if event.widget is not None and event.widget.has_class("chips"):
            self.action_unfold()

    def _chips(self, unfolded: bool) -> str:
        return f"{'▾' if unfolded else '▸'} " + "   ".join(file.about for file in self._files)


def _shown(text: str) -> str:
    text = visible(text).expandtabs(4)
    if len(text) > SHOWN_AT_MOST:
        return f"{text[:SHOWN_AT_MOST]}\n… {len(text) - SHOWN_AT_MOST:,} more characters"
    return text
