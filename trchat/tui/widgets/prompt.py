"""Where the question is written."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from trchat.session.attachments import complete_path
from trchat.session.commands import completions
from trchat.text.visible import visible
from trchat.tui.widgets.in_order import InOrder

SHOWN_CANDIDATES = 8


class Prompt(InOrder, TextArea):
    """A text field that grows with its text; Enter sends, and Up on its first line recalls earlier ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="send"),
        Binding("ctrl+j,shift+enter", "newline", "New line", id="newline"),
        Binding("tab", "complete", "Complete", show=False),
        Binding("pageup", "page(-1)", "Scroll up", show=False),
        Binding("pagedown", "page(1)", "Scroll down", show=False),
    ]

    class Sent(Message):
        """The user wants this to be sent."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Hinted(Message):
        """What the line may become; empty when there is nothing to say."""

        def __init__(self, candidates: Sequence[str]) -> None:
            super().__init__()
            self.candidates = candidates

    class Paged(Message):
        """The user scrolls the transcript from here."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Ask something, or type / for commands",
        )
        self.cursor_blink = False  # each blink draws the screen: calm is also cheaper
        self._earlier: list[str] = []
        self._place = 0
        self._unsent = ""

    def recall_from(self, earlier: Sequence[str]) -> None:
        """What Up brings back, oldest first."""
        self._earlier = list(earlier)
        self._place = len(self._earlier)

    def put(self, text: str) -> None:
        """Write a text here, the cursor behind it."""
        self.text = text
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        """Hand the text over. The field is empty at once: what is typed from now on is the next text."""
        text = self.text
        self.put("")
        self.post_message(self.Sent(text))

    def give_back(self, text: str) -> None:
        """Put back a text; above what the user has begun meanwhile, where it is no command."""
        if not self.text:
            self.put(text)
        elif text and not text.startswith("/"):
            self.put(f"{text}\n{self.text}")

    def action_newline(self) -> None:
        """Break the line."""
        self.insert("\n")

    def action_page(self, direction: int) -> None:
        """Scroll the transcript."""
        self.post_message(self.Paged(direction))

    def action_cursor_up(self, select: bool = False) -> None:
        """Up; from the first line to the question before."""
        if select or self.cursor_location[0] > 0 or not self._recall(-1):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Down; from the last line to the question after."""
        last = self.document.line_count - 1
        if select or self.cursor_location[0] < last or not self._recall(1):
            super().action_cursor_down(select)

    def action_complete(self) -> None:
        """Complete a command, its argument or a path as far as it is clear; elsewhere go on."""
        candidates = self._candidates()
        if not candidates:
            self.screen.focus_next()
            return
        begun = self.text
        shared = _shared_start(candidates)
        if len(candidates) == 1 and not shared.endswith("/"):
            shared += " "
        if len(shared) >= len(begun):
            self.put(shared)

    def on_text_area_changed(self) -> None:
        """Offer what the line may become."""
        candidates = self._candidates()
        more = ["…"] if len(candidates) > SHOWN_CANDIDATES else []
        self.post_message(self.Hinted([*candidates[:SHOWN_CANDIDATES], *more]))

    async def _on_paste(self, event: events.Paste) -> None:
        # Inserted by TextArea, whose turn is next; what is pasted must not act on the terminal either.
        event.text = visible(event.text.replace("\r\n", "\n").replace("\r", "\n"))

    def _recall(self, by: int) -> bool:
        place = self._place + by
        if not 0 <= place <= len(self._earlier):
            return False
        if self._place == len(self._earlier):
            self._unsent = self.text
        self._place = place
        self.put(self._earlier[place] if place < len(self._earlier) else self._unsent)
        return True

    def _candidates(self) -> list[str]:
        text = self.text
        if not text.startswith("/") or "\n" in text:
            return []
        if text.startswith("/attach "):
            return [f"/attach {path}" for path in complete_path(text.removeprefix("/attach "))]
        found = completions(text)
        return [] if found == [text] else found


def _shared_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    end = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return first[:end]
