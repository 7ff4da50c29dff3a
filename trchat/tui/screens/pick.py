"""A list to choose from, narrowed down by typing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from trchat.text.one_line import one_line
from trchat.tui.widgets.key_order import LineInput
from trchat.tui.widgets.keys_line import KeysLine


@dataclass(frozen=True, slots=True)
class Choice:
    """One line: what it is called and a word about it."""

    id: str
    label: str
    detail: str = ""


class PickScreen(ModalScreen[str | None]):
    """Hands back the ID of what was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("pageup", "move(-10)", "Up", show=False, priority=True),
        Binding("pagedown", "move(10)", "Down", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        find: Callable[[str], Sequence[Choice]],
        *,
        query: str = "",
        empty: str = "Nothing found",
        selected: str | None = None,
    ) -> None:
        """``find`` gives the choices for what was typed; ``selected`` is highlighted at first."""
        super().__init__()
        self._first = selected
        self._title = title
        self._find = find
        self._query = query
        self._empty = empty

    def compose(self) -> ComposeResult:
        """Title, search field, list."""
        with Vertical(id="box"):
            yield Static(one_line(self._title), id="title", markup=False)
            yield LineInput(self._query, placeholder="Type to search; ↑ ↓ and Enter to choose", id="query")
            yield OptionList(id="list", markup=False)
            yield Static(self._empty, id="empty", markup=False)
            yield KeysLine()

    def on_mount(self) -> None:
        """Fill the list."""
        self.query_one("#list").can_focus = False
        self.refill()

    def refill(self) -> None:
        """Fetch the choices again; the highlight stays where it was, as far as it can."""
        listed = self.query_one(OptionList)
        place = listed.highlighted or 0
        choices = self._find(self.query_one(Input).value.strip())
        listed.set_options([Option(_line(choice), id=choice.id) for choice in choices])
        self.query_one("#empty").display = not choices
        ids = [choice.id for choice in choices]
        if self._first in ids:
            place, self._first = ids.index(self._first), None
        if choices:
            listed.highlighted = min(place, len(choices) - 1)

    @property
    def chosen(self) -> str | None:
        """The ID of the highlighted line."""
        listed = self.query_one(OptionList)
        if listed.highlighted is None:
            return None
        return listed.get_option_at_index(listed.highlighted).id

    def action_move(self, by: int) -> None:
        """Move the highlight."""
        listed = self.query_one(OptionList)
        if listed.option_count:
            listed.highlighted = min(max((listed.highlighted or 0) + by, 0), listed.option_count - 1)

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one(OptionList).highlighted = None
        self.refill()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.chosen is not None:
            self.dismiss(self.chosen)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)


def narrowed(choices: Sequence[Choice]) -> Callable[[str], Sequence[Choice]]:
    """A search in a fixed list: every word typed must be in the line; first come names that begin so."""

    def find(query: str) -> Sequence[Choice]:
        words = query.lower().split()
        found = [
            each for each in choices if all(word in f"{each.label} {each.detail}".lower() for word in words)
        ]
        return sorted(found, key=lambda each: _rank(each.label.lower(), query.lower()))

    return find


def _rank(label: str, query: str) -> int:
    """0 for the name itself, 1 for what begins with it, 2 for what has it elsewhere."""
    return 0 if label.split()[:1] == [query] else 1 if label.startswith(query) else 2


def _line(choice: Choice) -> Content:
    parts = Content(one_line(choice.label))
    return parts + Content.styled(f"  {one_line(choice.detail)}", "$text-muted") if choice.detail else parts
