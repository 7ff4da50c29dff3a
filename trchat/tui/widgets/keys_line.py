"""The last line: the keys that matter now, as many as there is room for."""

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from trchat.tui.keys import APP_KEYS, CHAT_KEYS

LAST = ("dismiss", "help", "palette", "quit")
"""These stay however narrow the screen is: they lead to all others. Only ``FIRST`` is worth more."""

FIRST = "stop"
"""Shown only while there is something to stop; who needs it needs it now."""

ORDER = {binding.id: place for place, binding in enumerate((*CHAT_KEYS, *APP_KEYS)) if binding.id}
"""Keys of the user's own would come last; keys of what has the focus come first."""
FIRST_TO_GO = ("newline",)
"""The welcome says it too."""


class KeysLine(Static):
    """Like Textual's Footer, but whole: no key is cut in two, and none is shown that would do nothing now."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(classes="keys", markup=False)
        self._idle: frozenset[str] = frozenset()
        self._keys: list[tuple[Binding, str]] = []

    def leave_out(self, names: frozenset[str]) -> None:
        """The keys with these names would do nothing now."""
        if names != self._idle:
            self._idle = names
            self._draw()

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._draw)

    def on_resize(self) -> None:
        """Choose again what fits."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """What is clicked on is pressed."""
        end = 0
        for binding, display in self._keys:
            end += _width(binding, display)
            if event.x < end:
                self.app.simulate_key(binding.key.split(",")[0])
                return

    def _draw(self, _screen: Screen[object] | None = None) -> None:
        if not self.is_attached or not self.size.width:
            return
        shown: dict[str, tuple[Binding, str]] = {}
        for _node, binding, enabled, _tooltip in self.screen.active_bindings.values():
            if binding.show and enabled and _name(binding) not in self._idle:
                shown.setdefault(_name(binding), (binding, self.app.get_key_display(binding)))
        keys = sorted(shown.values(), key=lambda key: (_name(key[0]) in LAST, ORDER.get(key[0].id or "", -1)))
        by_worth = sorted(keys, key=lambda key: _rank(_name(key[0])))
        while sum(_width(*key) for key in keys) > self.size.width:
            least = by_worth.pop()
            if _name(least[0]) == FIRST or (_name(least[0]) in LAST and FIRST not in shown):
                break
            keys.remove(least)
        self._keys = keys
        parts = [
            Content.styled(display, "bold $footer-key-foreground")
            + Content.styled(f" {binding.description}", "$footer-description-foreground")
            for binding, display in keys
        ]
        self.update(Content("  ").join(parts), layout=False)


def _rank(name: str) -> int:
    """0 for the key that goes last of all when it becomes narrow."""
    if name == FIRST:
        return 0
    return 1 if name in LAST else 3 if name in FIRST_TO_GO else 2


def _name(binding: Binding) -> str:
    return binding.id or binding.action


def _width(binding: Binding, display: str) -> int:
    return len(display) + len(binding.description) + 3
