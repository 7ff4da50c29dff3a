"""Where the question is written."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from trchat.session.attachments import complete_path
from trchat.session.typed_command import Suggestion, Words, suggestions
from trchat.text.visible import visible
from trchat.tui.widgets.key_order import InOrder
from trchat.tui.widgets.suggestions import Suggestions


class Prompt(InOrder, TextArea):
    """A text field that grows with its text; Enter sends, and Up on its first line recalls earlier ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="send", tooltip="Send the question, or run the command"),
        Binding("ctrl+j,shift+enter,alt+enter", "newline", "New line", id="newline", tooltip="Add a line"),
        Binding(
            "ctrl+underscore,super+z", "undo", "Undo", id="undo-typing", show=False, tooltip="Undo typing"
        ),
        Binding("tab", "complete", "Complete", show=False),
        Binding("pageup", "page(-1)", "Scroll up", show=False),
        Binding("pagedown", "page(1)", "Scroll down", show=False),
    ]

    class Sent(Message):
        """The user wants this to be sent."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Paged(Message):
        """The user scrolls the transcript from here; ``to_end``: as far as it goes."""

        def __init__(self, direction: int, to_end: bool = False) -> None:
            super().__init__()
            self.direction = direction
            self.to_end = to_end

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Ask anything, or type / for commands",
        )
        self.cursor_blink = False  # each blink draws the screen: calm is also cheaper
        self.suggestions = Suggestions()
        self.words: Words = lambda name: ()
        """The arguments of commands that differ from machine to machine."""
        self.move_beside: Callable[[int], bool] = lambda by: False
        """What Up and Down do in an empty prompt, before they recall: False where there is nothing to do."""
        self._earlier: list[str] = []
        self._place = 0
        self._unsent = ""
        self._offered_for = ""

    def recall_from(self, earlier: Sequence[str]) -> None:
        """What Up brings back, oldest first."""
        self._earlier = list(earlier)
        self._place = len(self._earlier)

    def put(self, text: str) -> None:
        """Write a text here, the cursor behind it."""
        self.text = text
        self.move_cursor(self.document.end)

    def clear_draft(self) -> None:
        """Empty the field; Up brings back what stood there."""
        if self.text.strip():
            self._earlier.append(self.text)
        self._place = len(self._earlier)
        self.put("")

    def action_send(self) -> None:
        """Hand the text over. The field is empty at once: what is typed from now on is the next text."""
        self._offer()  # for the line as it is: what was typed fast may not have been seen yet
        chosen = self.suggestions.chosen
        only = len(self.suggestions.offered) == 1 and self.text.startswith("/") and " " not in self.text
        if chosen is not None and (self.suggestions.moved or only):
            self.put(chosen.text)
            self._close()
            if not chosen.complete:
                self._offer()
                return
        text = self.text
        self._close()
        self.put("")
        self.post_message(self.Sent(text))

    def give_back(self, text: str) -> None:
        """Put back a text; above what the user has begun meanwhile, where it is not a command."""
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

    def action_cursor_line_end(self, select: bool = False) -> None:
        """To the end of the line; from an empty prompt, to the end of the chat."""
        if self.text:
            super().action_cursor_line_end(select)
        else:
            self.post_message(self.Paged(1, to_end=True))

    def action_cursor_up(self, select: bool = False) -> None:
        """Up in the list of suggestions; from the first line to the question before."""
        if not select and (self.suggestions.move(-1) or (not self.text and self.move_beside(-1))):
            return
        if select or self.cursor_location[0] > 0 or not self._recall(-1):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Down in the list of suggestions; from the last line to the question after."""
        if not select and (self.suggestions.move(1) or (not self.text and self.move_beside(1))):
            return
        last = self.document.line_count - 1
        if select or self.cursor_location[0] < last or not self._recall(1):
            super().action_cursor_down(select)

    def action_complete(self) -> None:
        """Take the suggestion, as far as it is clear which, or the one the user has moved to."""
        self._offer()
        offered, chosen = self.suggestions.offered, self.suggestions.chosen
        if chosen is None:
            self.screen.focus_next()
            return
        shared = _shared_start([each.text for each in offered])
        clear = len(shared) > len(self.text) and not self.suggestions.moved and len(offered) > 1
        self.put(shared if clear else chosen.text)
        self._offer()

    def close_suggestions(self) -> bool:
        """Close the list until the text changes; False where it was not open."""
        was_open = self.suggestions.chosen is not None
        self._close()
        return was_open

    def on_text_area_changed(self) -> None:
        """Offer what the line may become."""
        self._offer()

    async def _on_paste(self, event: events.Paste) -> None:
        # Inserted by TextArea, whose turn is next; what is pasted must not act on the terminal either.
        event.text = visible(event.text.replace("\r\n", "\n").replace("\r", "\n"))

    def _offer(self) -> None:
        if self.text != self._offered_for:
            self._offered_for = self.text
            self.suggestions.offer(self._suggested())

    def _close(self) -> None:
        self._offered_for = self.text
        self.suggestions.offer(())

    def _recall(self, by: int) -> bool:
        place = self._place + by
        if not 0 <= place <= len(self._earlier):
            return False
        if self._place == len(self._earlier):
            self._unsent = self.text
        self._place = place
        self.put(self._earlier[place] if place < len(self._earlier) else self._unsent)
        self._close()  # a recalled command is there to be sent, not to be completed
        return True

    def _suggested(self) -> list[Suggestion]:
        text = self.text
        if text.startswith("/") and "\n" not in text:
            if text.startswith("/attach "):
                begun = text.removeprefix("/attach ")
                return [
                    Suggestion(f"/attach {path}", path, complete=not path.endswith("/"))
                    for path in complete_path(begun)
                    if path != begun
                ]
            return [each for each in suggestions(text, self.words) if each.text != text]
        return self._mentions(text)

    def _mentions(self, text: str) -> list[Suggestion]:
        """Files for an ``@path`` that ends at the end of the text."""
        if self.cursor_location != self.document.end:
            return []
        at = max(text.rfind(" "), text.rfind("\n")) + 1
        word = text[at:]
        if not word.startswith("@"):
            return []
        paths = [path for path in complete_path(word[1:]) if path != word[1:]]
        return [
            Suggestion(f"{text[:at]}@{path}" + ("" if path.endswith("/") else " "), path, complete=False)
            for path in paths
        ]


def _shared_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    end = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return first[:end]
