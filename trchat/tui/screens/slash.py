"""Slash commands, carried out on the chat screen."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING

from trchat.session.commands import branch_step

if TYPE_CHECKING:
    from trchat.tui.screens.chat import ChatScreen

Handler = Callable[["ChatScreen", str], Awaitable[None] | object]

HANDLERS: dict[str, Handler] = {
    "help": lambda screen, _: screen.action_help(),
    "new": lambda screen, _: screen.action_new(),
    "conversations": lambda screen, words: screen.action_conversations(words),
    "rename": lambda screen, title: screen.rename(title),
    "delete": lambda screen, _: screen.delete_current(),
    "undo": lambda screen, _: screen.undo_delete(),
    "save": lambda screen, name: screen.save_conversation(name),
    "copy": lambda screen, number: screen.action_copy(number or None),
    "regen": lambda screen, _: screen.action_regenerate(),
    "retry": lambda screen, _: screen.action_retry(),
    "edit": lambda screen, _: screen.action_edit(),
    "continue": lambda screen, _: screen.action_proceed(),
    "branch": lambda screen, way: screen.action_branch(branch_step(way)),
    "stop": lambda screen, _: screen.action_stop(),
    "attach": lambda screen, name: screen.attach(name),
    "detach": lambda screen, _: screen.detach(),
    "model": lambda screen, name: screen.action_model(name),
    "system": lambda screen, text: screen.set_system(text),
    "persona": lambda screen, name: screen.action_personas(name),
    "persona-save": lambda screen, name: screen.save_persona(name),
    "think": lambda screen, mode: screen.set_thinking(mode),
    "draft": lambda screen, mode: screen.set_setting(f"draft {mode}"),
    "set": lambda screen, argument: screen.set_setting(argument),
    "settings": lambda screen, _: screen.action_settings(),
    "lens": lambda screen, colour: screen.colour_lens() if colour else screen.action_lens(),
    "compare": lambda screen, _: screen.action_compare(),
    "theme": lambda screen, name: screen.action_theme(name),
    "quit": lambda screen, _: screen.app.action_quit(),
}


async def carry_out(screen: "ChatScreen", name: str, argument: str) -> None:
    """Run one command."""
    from textual.worker import Worker

    result = HANDLERS[name](screen, argument)
    # A worker goes on by itself: it may be waiting for the user.
    if isawaitable(result) and not isinstance(result, Worker):
        await result
