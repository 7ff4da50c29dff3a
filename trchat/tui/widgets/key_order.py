"""Fields in which keys act in the order of typing, however fast they come."""

from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Input

from trchat.tui.terminal_keys import OTHER_ENTER

if TYPE_CHECKING:
    from textual.widget import Widget as Base
else:
    # Textual takes the styles of the first base that is a widget, which must be the field.
    Base = object


def types(event: events.Key) -> bool:
    """Whether a key writes its character: Alt with a letter is a command, bound or not."""
    return event.is_printable and "alt+" not in event.key


class InOrder(Base):
    """Mixed into a text field: runs the field's own bindings at once.

    Textual runs bindings when a key has come back from the field: by then the letters after it may be there.
    (A priority binding would overtake the letters before it.)
    """

    async def _on_key(self, event: events.Key) -> None:
        if types(event):
            return
        if event.is_printable:
            event.prevent_default()  # may be bound to something elsewhere, but is not text
            return
        key = "shift+enter" if event.key in OTHER_ENTER else event.key
        active = self.screen.active_bindings.get(key)
        if active is not None and active.node is self:
            event.stop()
            event.prevent_default()
            await self.run_action(active.binding.action)


class LineInput(InOrder, Input):
    """A field of one line."""
