"""All actions on keys, by the names that ``[keys]`` in the configuration file uses."""

from collections.abc import Iterable, Mapping

from textual.binding import Binding
from textual.keys import Keys

from trchat.config_file import ConfigFile
from trchat.errors import UsageError
from trchat.session.commands import BY_NAME
from trchat.text.one_line import one_line


def _command(
    key: str, name: str, description: str, id: str, argument: str = "", tooltip: str = ""
) -> Binding:
    """A key that runs one of the chat's commands; ``tooltip`` where it does less than all of that."""
    action = f"command({name!r}, {argument!r})"
    return Binding(key, action, description, id=id, tooltip=tooltip or BY_NAME[name].help)


CHAT_KEYS: list[Binding] = [
    Binding(
        "escape", "stop", "Stop", id="stop", tooltip="Stop the answer, close a list, or clear the prompt"
    ),
    _command("f1", "help", "Help", "help"),
    _command("alt+left", "branch", "Branch ‹", "branch-previous", "previous", "Show the previous branch"),
    _command("alt+right", "branch", "Branch ›", "branch-next", "next", "Show the next branch"),
    _command("ctrl+l", "lens", "Lens", "lens"),
    _command("ctrl+t", "compare", "Compare", "compare"),
    _command("ctrl+g", "continue", "Continue", "continue"),
    Binding("ctrl+f", "find", "Find", id="find", tooltip="Find words in this conversation"),
    _command("ctrl+n", "new", "New", "new"),
    _command("ctrl+o", "conversations", "History", "conversations"),
    _command("ctrl+r", "regen", "Regenerate", "regenerate"),
    _command("f2", "edit", "Edit", "edit"),
    _command("f8", "copy", "Copy", "copy", tooltip="Copy the last answer"),
    _command("f3", "model", "Model", "model"),
    _command("f4", "settings", "Settings", "settings"),
    _command("f5", "persona", "Persona", "personas"),
    Binding(
        "f9",
        "think",
        "Think",
        id="think",
        show=False,
        tooltip="Switch how the model thinks before it answers",
    ),
    Binding(
        "ctrl+c",
        "interrupt",
        "Copy, stop or clear",
        id="interrupt",
        show=False,
        priority=True,
        tooltip="Copy what is selected, stop the answer, or clear the prompt; twice, exit",
    ),
    Binding(
        "ctrl+end",
        "to_end",
        "To the end",
        id="end",
        show=False,
        priority=True,
        tooltip="Go to the end of the conversation",
    ),
    Binding(
        "alt+up",
        "message(-1)",
        "Message above",
        id="message-above",
        show=False,
        tooltip="Select the message above",
    ),
    Binding(
        "alt+down",
        "message(1)",
        "Message below",
        id="message-below",
        show=False,
        tooltip="Select the message below",
    ),
]
"""Keys of the chat screen."""

APP_KEYS: list[Binding] = [
    Binding("ctrl+q", "quit", "Quit", id="quit", priority=True, tooltip="Save and exit"),
    Binding(
        "ctrl+p", "command_palette", "Commands", id="palette", priority=True, tooltip="Search the commands"
    ),
    Binding(
        "ctrl+z",
        "suspend_process",
        "Suspend",
        id="suspend",
        show=False,
        priority=True,
        tooltip="Suspend trchat; fg in the shell brings it back",
    ),
]
"""Keys that work everywhere."""

NEVER = {"ctrl+m": "it is Enter to most terminals", "ctrl+i": "it is Tab to most terminals"}


def keymap(config: ConfigFile, bindings: Iterable[Binding]) -> Mapping[str, str]:
    """The user's keys by action. Raises UsageError for an unknown action or a key that cannot be bound."""
    names = {binding.id for binding in bindings if binding.id}
    config.check_keys(sorted(names))
    chosen: dict[str, str] = {}
    for action, placed in config.keys.items():
        keys = [key.strip().lower() for key in str(placed.value).split(",")]
        for key in keys:
            reason = NEVER.get(key) or (None if _is_key(key) else "it is not a key")
            if reason:
                where = f"{one_line(str(config.path))}:{placed.line}"
                raise UsageError(f"{where}: {one_line(key)!r} cannot be bound to {action}: {reason}")
        chosen[action] = ",".join(keys)
    return chosen


def _is_key(key: str) -> bool:
    *modifiers, name = key.split("+") if key != "+" else ["plus"]
    known = {each.value for each in Keys}
    return all(each in ("ctrl", "alt", "shift", "super", "meta", "hyper") for each in modifiers) and (
        len(name) == 1 or name in known
    )
