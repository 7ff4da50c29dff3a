"""All actions on keys, by the names that ``[keys]`` in the configuration file uses."""

from collections.abc import Iterable, Mapping

from textual.binding import Binding
from textual.keys import Keys

from trchat.config_file import ConfigFile
from trchat.errors import UsageError
from trchat.text.one_line import one_line

CHAT_KEYS: list[Binding] = [
    Binding("escape", "stop", "Stop", id="stop"),
    Binding("f1", "command('help')", "Help", id="help"),
    Binding("alt+left", "command('branch', 'previous')", "Branch ‹", id="branch-previous"),
    Binding("alt+right", "command('branch', 'next')", "Branch ›", id="branch-next"),
    Binding("ctrl+l", "command('lens')", "Lens", id="lens"),
    Binding("ctrl+t", "command('compare')", "Compare", id="compare"),
    Binding("ctrl+g", "command('continue')", "Continue", id="continue"),
    Binding("ctrl+f", "find", "Find", id="find"),
    Binding("ctrl+n", "command('new')", "New", id="new"),
    Binding("ctrl+o", "command('conversations')", "History", id="conversations"),
    Binding("ctrl+r", "command('regen')", "Regenerate", id="regenerate"),
    Binding("f2", "command('edit')", "Edit", id="edit"),
    Binding("f8", "command('copy')", "Copy", id="copy"),
    Binding("f3", "command('model')", "Model", id="model"),
    Binding("f4", "command('settings')", "Settings", id="settings"),
    Binding("f5", "command('persona')", "Persona", id="personas"),
    Binding("f9", "think", "Think", id="think", show=False),
    Binding("ctrl+c", "interrupt", "Copy, stop or clear", id="interrupt", show=False, priority=True),
    Binding("ctrl+end", "to_end", "To the end", id="end", show=False, priority=True),
    Binding("alt+up", "message(-1)", "Message above", id="message-above", show=False),
    Binding("alt+down", "message(1)", "Message below", id="message-below", show=False),
]
"""Keys of the chat screen; ``command`` runs one of ``trchat.session.commands``."""

APP_KEYS: list[Binding] = [
    Binding("ctrl+q", "quit", "Quit", id="quit", priority=True),
    Binding("ctrl+p", "command_palette", "Commands", id="palette", priority=True),
    Binding("ctrl+z", "suspend_process", "Suspend", id="suspend", show=False, priority=True),
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
            reason = NEVER.get(key) or (None if _is_key(key) else "it is no key")
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
