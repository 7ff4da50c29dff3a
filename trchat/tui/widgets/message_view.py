"""What all messages in the transcript have in common: they can be focused, and acted on by keys."""

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage

from trchat.storage.records import Message
from trchat.tui.widgets.cheap_redraw import Even

FOUND = "bold reverse"
"""How words that were looked for are marked."""


def occurrences(text: str, wanted: str) -> list[int]:
    """Where ``wanted`` stands in ``text``, capitals or not; the same length is asked of what is found."""
    if not wanted:
        return []
    return [match.start() for match in re.finditer(re.escape(wanted), text, re.IGNORECASE)]


class MessageView(Even, Vertical, can_focus=True):
    """One message. Keys on it are passed on as ``Wanted``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "want('copy')", "Copy", id="message-copy"),
        Binding("y", "want('copy-code')", "Copy code", id="message-copy-code"),
        *[Binding(str(n), f"want('copy-code {n}')", f"Copy code {n}", show=False) for n in range(1, 10)],
        Binding("r", "want('regenerate')", "Regenerate", id="message-regenerate"),
        Binding("e", "want('edit')", "Edit", id="message-edit"),
        Binding("left", "want('previous-branch')", "Branch ‹", id="message-branch-previous"),
        Binding("right", "want('next-branch')", "Branch ›", id="message-branch-next"),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
    ]

    class Wanted(TextualMessage):
        """The user wants something done with the message that has the focus."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, message: Message, branch: tuple[int, int] = (1, 1)) -> None:
        """``branch``: which of how many the message is on, from 1."""
        super().__init__(classes=f"message {message.role}")
        self.message = message
        self.branch = branch

    def action_want(self, what: str) -> None:
        """Ask for something to be done."""
        self.post_message(self.Wanted(what))

    def mark_found(self, wanted: str) -> None:
        """Mark every place where these words stand; empty marks none."""

    def line_of_match(self, number: int) -> int:
        """On which of its lines, from 0, the match with this number stands."""
        return 0

    @property
    def branch_text(self) -> str:
        """Which branch this is; empty where there is only one."""
        place, count = self.branch
        return f"‹ {place}/{count} ›" if count > 1 else ""
