"""The conversation that is shown: its messages, its branches, and what the model gets to read of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trchat.errors import UsageError
from trchat.storage.records import Conversation, Message, UnknownIdError

if TYPE_CHECKING:
    from trchat.chat.template import Turn
    from trchat.storage.conversations import ConversationStore


class Thread:
    """One branch of one conversation, kept in step with the store."""

    def __init__(self, store: "ConversationStore") -> None:
        """No conversation yet: one begins with its first message."""
        self.store = store
        self.conversation: Conversation | None = None
        self.messages: list[Message] = []
        self.branches: dict[int | None, list[int]] = {}

    def clear(self) -> None:
        """Leave the conversation; the next message begins another."""
        self.conversation, self.messages, self.branches = None, [], {}

    def open(self, conversation_id: int) -> None:
        """Show a conversation. Raises UnknownIdError, for one that was deleted too."""
        self.conversation = self.store.kept(conversation_id)
        self.reload()

    @property
    def deleted(self) -> bool:
        """Whether the conversation that is shown was deleted or removed meanwhile."""
        if self.conversation is None:
            return False
        try:
            self.store.kept(self.conversation.id)
        except UnknownIdError:
            return True
        return False

    def must_be_kept(self) -> None:
        """Raise UsageError, and leave the conversation, where another trchat has deleted or removed it.

        What is written into a deleted one would go with it.
        """
        if self.deleted:
            self.clear()
            raise UsageError("another trchat deleted this conversation; your next question starts a new one")

    def reload(self) -> bool:
        """Fetch the branch that is shown. False where another trchat has removed it: it is left then."""
        if self.conversation is None:
            return True
        try:
            self.conversation = self.store.conversation(self.conversation.id)
            self.messages = self.store.thread(self.conversation.id)
            self.branches = self.store.branches(self.conversation.id)
        except UnknownIdError:
            self.clear()
            return False
        return True

    def add_question(self, text: str, system: str | None) -> Message:
        """Add what the user said; ``system`` opens a new conversation."""
        if self.conversation is None:
            self.conversation = self.store.create_conversation()
            if system:
                self.store.add_message(self.conversation.id, "system", text=system)
        message = self.store.add_message(self.conversation.id, "user", text)
        self.reload()
        return message

    def siblings(self, message: Message) -> tuple[int, int]:
        """Which branch a message is on, from 1, and how many there are beside it."""
        ids = self.branches.get(message.parent_id, [])
        return (ids.index(message.id) + 1, len(ids)) if message.id in ids else (1, 1)

    def last_branched(self) -> Message | None:
        """The last message that has others beside it."""
        return next((each for each in reversed(self.messages) if self.siblings(each)[1] > 1), None)

    def switch(self, message: Message, by: int) -> bool:
        """Show the branch ``by`` places beside a message; False where there is none.

        Raises UnknownIdError where another trchat has removed it.
        """
        place, count = self.siblings(message)
        if not 1 <= place + by <= count:
            return False
        self.store.select_branch(self.branches[message.parent_id][place - 1 + by])
        self.reload()
        return True

    def get(self, message_id: int | None) -> Message:
        """The message with this ID, or the last answer. Raises UsageError when there is none."""
        for message in reversed(self.messages):
            if message.id == message_id or (message_id is None and message.role == "assistant"):
                return message
        raise UsageError("no answer yet" if message_id is None else "that message is gone")

    def question_of(self, answer: Message) -> Message:
        """The message that an answer answers. Raises UsageError."""
        for message in self.messages:
            if message.id == answer.parent_id:
                return message
        raise UsageError("this answer has no question")

    def last_question(self) -> Message:
        """What the user said last. Raises UsageError."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message
        raise UsageError("no question yet")

    def system(self) -> str | None:
        """The system prompt that the conversation began with."""
        first = self.messages[0] if self.messages else None
        return first.text if first and first.role == "system" else None

    def turns(self, last: Message, system: str | None) -> "Sequence[Turn]":
        """The conversation up to and with ``last``, a message that is shown, below ``system``."""
        from trchat.chat.recorder import turns_of
        from trchat.chat.template import Turn

        end = self.messages.index(self.get(last.id))
        said = [message for message in self.messages[: end + 1] if message.role != "system"]
        return [*([Turn("system", system)] if system else []), *turns_of(said)]
