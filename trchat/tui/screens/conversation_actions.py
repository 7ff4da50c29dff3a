"""New, open, rename, delete, undo, save: what the user does with conversations."""

from trchat.session.commands import current_conversation
from trchat.session.save import save_markdown
from trchat.tui.screens.base import ChatBase
from trchat.tui.screens.conversations import ConversationsScreen


class ConversationActions(ChatBase):
    """Actions on conversations."""

    _deleted: tuple[int, ...] = ()

    async def new(self) -> None:
        """Begin another conversation."""
        if self.attempt(self.session.new):
            self.panel.begin()
            await self.show_thread()
            self.prompt.focus()

    def conversations(self, words: str = "") -> None:
        """Show the list."""
        screen = ConversationsScreen(
            self.session.thread.store,
            words,
            delete=self.delete_conversation,
            undo=self.restore_deleted,
            save=self.save_conversation,
        )
        self.app.push_screen(screen, self._opened)

    async def open_conversation(self, conversation_id: int) -> bool:
        """Go on with an earlier conversation; False where that is not possible now."""
        if not self.attempt(lambda: self.session.open(conversation_id)):
            return False
        self.panel.begin()
        await self.show_thread()
        self.prompt.focus()
        return True

    async def _opened(self, chosen: str | None) -> None:
        current = self.session.thread.conversation
        if chosen is not None and await self.open_conversation(int(chosen)):
            pass
        elif current is not None:
            if self.session.thread.deleted:
                await self.new()
            elif not self.session.busy:
                self.session.thread.reload()  # the title may have changed
            self.show_heading()
        self.prompt.focus()

    def rename(self, title: str) -> None:
        """Give the conversation another title."""
        self.session.thread.store.rename(current_conversation(self.session), title)
        self.session.thread.reload()
        self.show_heading()

    def delete_conversation(self, conversation_id: int) -> None:
        """Delete a conversation; it can be brought back."""

        def delete() -> None:
            current = self.session.thread.conversation
            if current is not None and current.id == conversation_id:
                self.session.must_be_free()
            self.session.thread.store.delete(conversation_id)
            self._deleted = (*self._deleted, conversation_id)
            listed = isinstance(self.app.screen, ConversationsScreen)
            self.tell(f"Conversation deleted; {'Ctrl+R' if listed else '/undo'} restores it")

        self.attempt(delete)

    async def delete(self) -> None:
        """Delete the conversation that is shown."""
        self.delete_conversation(current_conversation(self.session))
        await self.new()

    def restore_deleted(self) -> int | None:
        """Bring back what was deleted last; its ID, or None."""
        if not self._deleted:
            self.tell("Nothing to restore")
            return None
        *rest, last = self._deleted
        self._deleted = tuple(rest)
        if not self.attempt(lambda: self.session.thread.store.restore(last)):
            return None
        self.tell("Conversation restored")
        return last

    async def undo(self) -> None:
        """Bring back what was deleted last, and show it, unless something is being written."""
        restored = self.restore_deleted()
        if restored is not None and not self.session.busy:
            await self.open_conversation(restored)

    def save_conversation(self, conversation_id: int) -> None:
        """Save a conversation as Markdown."""
        store = self.session.thread.store
        self.attempt(lambda: self.tell(f"Saved as {save_markdown(store, conversation_id)}"))
