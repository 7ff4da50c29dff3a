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
            undo=self.undo_delete,
            save=lambda conversation_id: self.save_conversation("", conversation_id),
        )
        self.app.push_screen(screen, self._opened)

    async def _opened(self, chosen: str | None) -> None:
        current = self.session.thread.conversation
        if chosen is not None and self.attempt(lambda: self.session.open(int(chosen))):
            self.panel.begin()
            await self.show_thread()
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
            self.tell("there is no conversation yet", "warning")
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
            self.tell("deleted; ctrl+z here or /undo brings it back")

        self.attempt(delete)

    async def delete_current(self) -> None:
        """Delete the conversation that is shown."""
        conversation = self.session.thread.conversation
        if conversation is None:
            self.tell("there is no conversation yet", "warning")
            return
        self.delete_conversation(conversation.id)
        await self.action_new()

    def undo_delete(self) -> None:
        """Bring back what was deleted last."""
        if not self._deleted:
            self.tell("nothing was deleted")
            return
        *rest, last = self._deleted
        self._deleted = tuple(rest)
        if self.attempt(lambda: self.session.thread.store.restore(last)):
            self.tell("brought back")

    def save_conversation(self, name: str = "", conversation_id: int | None = None) -> None:
        """Save a conversation (the one shown) as Markdown."""
        current = self.session.thread.conversation
        wanted = conversation_id or (current.id if current else None)
        try:
            if wanted is None:
                raise UsageError("there is no conversation yet")
            path = save_markdown(self.session.thread.store, wanted, user_path(name) if name else None)
        except TrchatError as error:
            self.tell(str(error), "warning")
        else:
            self.tell(f"saved as {path}")
