"""The conversation that ``--continue`` goes on with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trchat.chat.recorder import turns_of
from trchat.chat.template import Turn
from trchat.errors import ModelError
from trchat.startup import Prepared, prepare
from trchat.storage.conversations import ConversationStore


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was said before: nothing, where a conversation only begins. ``model`` is the last one's file."""

    id: int | None = None
    turns: tuple[Turn, ...] = ()
    model: str | None = None

    @property
    def has_system(self) -> bool:
        """Whether it begins with a system prompt of its own."""
        return bool(self.turns) and self.turns[0].role == "system"

    def prepare(self, flags: Mapping[str, object], say: Callable[[str], None]) -> Prepared:
        """As ``startup.prepare``; without a model on the command line, the one that answered last goes on."""
        if "model" in flags or self.model is None:
            return prepare(flags)
        try:
            return prepare({**flags, "model": self.model})
        except ModelError as error:
            say(f"the model of this conversation is gone ({error}); going on with the default model")
            return prepare(flags)


def earlier(store: ConversationStore, conversation_id: int | None) -> Earlier:
    """The conversation with this ID, or the one used last. Raises UnknownIdError when there is none."""
    conversation = store.kept(conversation_id)
    messages = store.thread(conversation.id)
    paths = [message.settings.get("path") for message in messages if message.role == "assistant"]
    path = next((path for path in reversed(paths) if isinstance(path, str)), None)
    if path is not None and not Path(path).is_file():
        path = None
    return Earlier(conversation.id, tuple(turns_of(messages)), path or conversation.model)
