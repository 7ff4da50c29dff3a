"""Every action that a key can be bound to: the chat's, and those of the prompt and of messages."""

from textual.binding import Binding

from trchat.config_file import ConfigFile, Placed, config_path
from trchat.tui.keys import APP_KEYS, CHAT_KEYS, keymap
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.prompt import Prompt


def all_bindings() -> list[Binding]:
    """The bindings, each with the name that ``[keys]`` uses."""
    own = [each for each in (*Prompt.BINDINGS, *MessageView.BINDINGS) if isinstance(each, Binding)]
    return [*CHAT_KEYS, *APP_KEYS, *own]


def check_key(action: str, key: str) -> None:
    """Raise UsageError where ``[keys]`` must not have this."""
    keymap(ConfigFile(config_path(), keys={action: Placed(key, 1)}), all_bindings())
