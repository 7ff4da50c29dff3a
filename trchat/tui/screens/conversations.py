"""Earlier conversations: find, open, rename, delete with undo, save."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from trchat.storage.export import UNTITLED, heading
from trchat.storage.records import UnknownIdError
from trchat.text.units import date_and_time
from trchat.tui.screens.ask_line import AskLine
from trchat.tui.screens.pick import Choice, PickScreen

if TYPE_CHECKING:
    from trchat.storage.conversations import ConversationStore

SHOWN_AT_MOST = 500


class ConversationsScreen(PickScreen):
    """The list, newest first; what is typed is sought in titles and messages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "rename", "Rename"),
        Binding("ctrl+d", "delete", "Delete", priority=True),
        Binding("ctrl+r", "undo", "Restore", priority=True),
        Binding("ctrl+s", "save", "Save as Markdown", priority=True),
    ]

    def __init__(
        self,
        store: "ConversationStore",
        query: str,
        *,
        delete: Callable[[int], None],
        undo: Callable[[], object],
        save: Callable[[int], None],
    ) -> None:
        """``delete``, ``undo`` and ``save`` do what their keys say, and tell the user."""
        super().__init__("Conversations", self._found, query=query, empty="No conversation matches")
        self._store = store
        self._delete = delete
        self._undo = undo
        self._save = save

    def action_rename(self) -> None:
        """Ask for another title."""
        if self.chosen is None:
            return
        try:
            conversation = self._store.conversation(int(self.chosen))
        except UnknownIdError:  # another trchat has removed it
            self.refill()
            return

        def renamed(title: str | None) -> None:
            if title and title.strip():
                with suppress(UnknownIdError):
                    self._store.rename(conversation.id, title.strip())
                self.refill()

        self.app.push_screen(AskLine("Rename", heading(conversation)), renamed)

    def action_delete(self) -> None:
        """Delete the highlighted conversation."""
        if self.chosen is not None:
            self._delete(int(self.chosen))
            self.refill()

    def action_undo(self) -> None:
        """Bring back the one deleted last."""
        self._undo()
        self.refill()

    def action_save(self) -> None:
        """Save the highlighted conversation as a file."""
        if self.chosen is not None:
            self._save(int(self.chosen))

    def _found(self, query: str) -> Sequence[Choice]:
        if not query:
            return [
                Choice(
                    str(each.id),
                    heading(each),
                    f"{date_and_time(each.updated_at)} · {each.messages} messages",
                )
                for each in self._store.conversations(limit=SHOWN_AT_MOST)
            ]
        found: dict[int, Choice] = {}
        for hit in self._store.search(query, limit=100):
            title = " ".join(hit.title.split()) or UNTITLED
            found.setdefault(hit.conversation_id, Choice(str(hit.conversation_id), title, hit.snippet))
        return list(found.values())
