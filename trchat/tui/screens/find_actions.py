"""Finding words within the conversation that is shown."""

from textual import on
from textual.widgets import Input

from trchat.text.code_block import without_files
from trchat.tui.screens.base import ChatBase
from trchat.tui.widgets.find_field import FindField


class FindActions(ChatBase):
    """A field above the prompt: every match is marked, and they are gone through one by one."""

    _matches: tuple[tuple[int, int], ...] = ()
    """Message and which match in it, from the first in the conversation to the last."""
    _match = 0

    def action_find(self) -> None:
        """Open the field."""
        self.find.display = True
        self.find.focus()

    def close_find(self) -> bool:
        """Close the field, leaving the chat where it is; False where it was not open."""
        if not self.find.display:
            return False
        self.find.display = False
        self.find.value = ""
        self._mark("")
        self.prompt.focus()
        return True

    @on(Input.Changed, "#find")
    def _look(self, event: Input.Changed) -> None:
        """Mark what was typed, and show its last place: what was said last is sought most."""
        event.stop()
        wanted = event.value.lower()
        found = []
        for message in self.session.thread.messages if wanted else ():
            text = without_files(message.text) if message.role == "user" else message.text
            found += [(message.id, number) for number in range(text.lower().count(wanted))]
        self._matches, self._match = tuple(found), len(found) - 1
        self._mark(event.value)
        self._show_match()

    @on(FindField.Stepped)
    def _step(self, event: FindField.Stepped) -> None:
        """Go to the match before or after, around the ends."""
        if self._matches:
            self._match = (self._match + event.by) % len(self._matches)
            self._show_match()

    def _mark(self, wanted: str) -> None:
        for view in self.transcript.views():
            view.mark_found(wanted)

    def _show_match(self) -> None:
        count = len(self._matches)
        place = f"{self._match + 1} of {count}" if count else "no match" if self.find.value else ""
        self.find.border_subtitle = place
        if self._matches:
            self.call_after_refresh(self._go_to, *self._matches[self._match])

    async def _go_to(self, message_id: int, number: int) -> None:
        while self.transcript.view_of(message_id) is None and await self.transcript.show_earlier():
            self._mark(self.find.value)
        view = self.transcript.view_of(message_id)
        if view is not None:
            self.transcript.release_anchor()
            self.transcript.scroll_to_widget_line(view, view.line_of_match(number))
