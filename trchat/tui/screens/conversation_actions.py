"""New, open, rename, delete, undo, save: what the user does with conversations."""

from trchat.errors import TrchatError, UsageError
from trchat.paths import user_path
from trchat.session.save import save_markdown
from trchat.tui.screens.ask_line import AskLine
from trchat.tui.screens.base import ChatBase
from trchat.tui.screens.conversations import ConversationsScreen


class ConversationActions(ChatBase):
    """Actions on conversations."""

    _deleted: tuple[int, ...] = ()

    async def action_new(self) -> None:
        """Begin another conversation."""
        if self.attempt(self.session.new):
            self.panel.begin()
            await self.show_thread()
            self.prompt.focus()

    def action_conversations(self, query: str = "") -> None:
        """Show the list."""
        screen = ConversationsScreen(
            self.session.thread.store,
            query,
            delete=self.delete_conversation,
            undo=self.restore_deleted,
            save=lambda conversation_id: self.save_conversation("", conversation_id),
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
                await self.action_new()
            elif not self.session.busy:
                self.session.thread.reload()  # the title may have changed
            self.show_heading()
        self.prompt.focus()

    def rename(self, title: str = "") -> None:
        """Give the conversation another title, asking for it where none is given."""
        conversation = self.session.thread.conversation
        if conversation is None:
            self.tell("no conversation yet", "warning")
        elif title.strip():
            self.attempt(lambda: self.session.thread.store.rename(conversation.id, title.strip()))
            self.session.thread.reload()
            self.show_heading()
        else:
            self.app.push_screen(AskLine("Rename", conversation.title), lambda text: self.rename(text or ""))

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

    async def delete_current(self) -> None:
        """Delete the conversation that is shown."""
        conversation = self.session.thread.conversation
        if conversation is None:
            self.tell("no conversation yet", "warning")
            return
        self.delete_conversation(conversation.id)
        await self.action_new()

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

    async def undo_delete(self) -> None:
        """Bring back what was deleted last, and show it, unless something is being written."""
        restored = self.restore_deleted()
        if restored is not None and not self.session.busy:
            await self.open_conversation(restored)

    def save_conversation(self, name: str = "", conversation_id: int | None = None) -> None:
        """Save a conversation (the one shown) as Markdown."""
        current = self.session.thread.conversation
        wanted = conversation_id or (current.id if current else None)
        try:
            if wanted is None:
                raise UsageError("no conversation yet")
            path = save_markdown(self.session.thread.store, wanted, user_path(name) if name else None)
        except TrchatError as error:
            self.tell(str(error), "warning")
        else:
            self.tell(f"Saved as {path}")
