"""The field for words that are looked for in the conversation."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from trchat.tui.widgets.key_order import LineInput


class FindField(LineInput):
    """``Input.Changed`` tells what is looked for, ``Stepped`` the way to the next match."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,enter", "step(-1)", "Earlier"),
        Binding("down", "step(1)", "Later"),
        Binding("escape", "screen.stop", "Close"),
    ]

    class Stepped(Message):
        """The user wants the match before or after."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self) -> None:
        super().__init__(placeholder="Find in this conversation", id="find")

    def action_step(self, by: int) -> None:
        """Go to another match."""
        self.post_message(self.Stepped(by))
