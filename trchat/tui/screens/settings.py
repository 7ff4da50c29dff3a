"""The list of settings: what each is, its value, where that comes from, and making it the default."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList, Static

from trchat.session.setting_help import EXPLAINED
from trchat.tui.screens.pick import Choice, PickScreen, narrowed


class SettingsScreen(PickScreen):
    """Hands back the name of the setting to change, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep('all')", "Keep for all models", priority=True),
        Binding("ctrl+t", "keep('model')", "Keep for this model", priority=True),
    ]

    def __init__(
        self,
        settings: Callable[[], Sequence[Choice]],
        keep: Callable[[str, str], None],
        selected: str | None = None,
    ) -> None:
        """``settings`` gives them as they are now; ``keep`` makes one the default, for whom it is told."""
        super().__init__("Settings", lambda query: narrowed(settings())(query), selected=selected)
        self._keep = keep

    def on_mount(self) -> None:
        """Make room for the explanation."""
        self.query_one("#box", Vertical).mount(Static("", id="explained", markup=False), before=".keys")
        super().on_mount()

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#explained", Static).update(EXPLAINED.get(event.option.id or "", ""))

    def action_keep(self, scope: str) -> None:
        """Make the highlighted setting's value the default."""
        if self.chosen is not None:
            self._keep(self.chosen, scope)
            self.refill()
