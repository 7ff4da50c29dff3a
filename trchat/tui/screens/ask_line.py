"""Asks for one line of text."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from trchat.tui.widgets.key_order import LineInput
from trchat.tui.widgets.keys_line import KeysLine


class AskLine(ModalScreen[str | None]):
    """Hands back what was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, title: str, value: str = "", about: str = "") -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._about = about

    def compose(self) -> ComposeResult:
        """Title, a word about it, the field."""
        with Vertical(id="box", classes="small"):
            yield Static(self._title, id="title", markup=False)
            if self._about:
                yield Static(self._about, id="about", markup=False)
            yield LineInput(self._value, id="query")
            yield KeysLine()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)
