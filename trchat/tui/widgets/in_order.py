"""Fields in which keys act in the order of typing, however fast they come."""

from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.widget import Widget as Base
else:
    # Textual takes the styles of the first base that is a widget, which must be the field.
    Base = object


class InOrder(Base):
    """Mixed into a text field: runs the field's own bindings at once.

    Textual runs bindings when a key has come back from the field: by then the letters after it may be there.
    (A priority binding would overtake the letters before it.)
    """

    async def _on_key(self, event: events.Key) -> None:
        if event.is_printable:
            return
        active = self.screen.active_bindings.get(event.key)
        if active is not None and active.node is self:
            event.stop()
            event.prevent_default()
            await self.run_action(active.binding.action)


class LineInput(InOrder, Input):
    """A field of one line."""
