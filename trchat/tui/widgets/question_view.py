"""What the user (or the system prompt) said, as it was typed."""

from textual.app import ComposeResult
from textual.widgets import Static

from trchat.text.visible import visible
from trchat.tui.widgets.message_view import MessageView

SHOWN_AT_MOST = 4000
"""Characters; an attached file would fill the screen."""


class QuestionView(MessageView):
    """A question or a system prompt: plain text, nothing in it is markup."""

    def compose(self) -> ComposeResult:
        """Text, and the branch where there are several."""
        text = visible(self.message.text).expandtabs(4)
        if len(text) > SHOWN_AT_MOST:
            text = f"{text[:SHOWN_AT_MOST]}\n… and {len(text) - SHOWN_AT_MOST} characters more"
        if self.message.role == "system":
            yield Static("System prompt", classes="label", markup=False)
        yield Static(text, markup=False, classes="said")
        if self.branch_text:
            yield Static(self.branch_text, classes="info", markup=False)
