"""Lines that begin with a slash: which command they are, and what a line just begun may become."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trchat.chat.thinking_switch import typed_to_the_model
from trchat.config_rules import SETTINGS, THINK_MODES
from trchat.errors import UsageError
from trchat.session.commands import BY_NAME, COMMANDS, Command
from trchat.session.setting_help import EXPLAINED
from trchat.text.one_line import one_line


def parse_command(text: str, template: Callable[[], str | None] = lambda: None) -> tuple[Command, str] | None:
    """The command that a line is, with its argument; None when it is something to say to the model.

    Raises UsageError for an unknown command. ``//`` begins a text that shall start with a slash, and a path
    such as ``/usr/lib is full`` is not a command; nor is ``/no_think`` with a model that knows it, which is
    told by its chat ``template``, which is read only where that matters.
    """
    if not text.startswith("/") or "\n" in text.strip() or text.startswith("//"):
        return None
    word, _, argument = text[1:].strip().partition(" ")
    if "/" in word or not word:
        return None
    command = BY_NAME.get(word.lower())
    argument = argument.strip()
    is_mode = argument.lower().partition("--keep")[0].strip() in ("", *THINK_MODES)
    if (command is None or (command.name == "think" and not is_mode)) and typed_to_the_model(
        text, template()
    ):
        return None
    if command is None:
        near = difflib.get_close_matches(word.lower(), BY_NAME, n=1, cutoff=0.6)
        hint = f"did you mean /{near[0]}? " if near else ""
        raise UsageError(f"no such command: /{one_line(word)}; {hint}/help lists them all")
    if command.needs and not argument:
        raise UsageError(f"Usage: {command.usage}")
    return command, argument


def unescaped(text: str) -> str:
    """What is said: a doubled slash at its start is one."""
    return text[1:] if text.startswith("//") else text


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a line may become; ``label`` is what is listed for it, ``help`` a word about it.

    ``complete``: it says all that the command needs, so that it can be run.
    """

    text: str
    label: str
    help: str = ""
    complete: bool = True


Words = Callable[[str], Iterable[tuple[str, str]]]
"""The words that the argument of a command may be, with a word about each, for a command's name."""


def suggestions(begun: str, words: Words = lambda name: ()) -> list[Suggestion]:
    """What a line that begins with a slash may become: commands, or a command with one of its arguments.

    ``words`` knows the arguments that differ from machine to machine.
    """
    name, space, argument = begun.partition(" ")
    name = name.lower()
    if not space:
        found = [command for command in COMMANDS if command.name.startswith(name.removeprefix("/"))]
        return [
            Suggestion(
                f"/{command.name}" + (" " if command.argument else ""),
                command.usage,
                command.help,
                not command.needs,
            )
            for command in found
        ]
    command = name.removeprefix("/")
    known = [*_words(command), *words(command)]
    return [
        Suggestion(f"{name} {word}" + (" " if command == "set" else ""), word, about, command != "set")
        for word, about in known
        if word.lower().startswith(argument.lower())
    ]


def _words(name: str) -> list[tuple[str, str]]:
    """Those that a command takes and that are known here; ``Command.argument`` has them in small letters."""
    if name == "set":
        return [(setting, EXPLAINED.get(setting, "")) for setting in SETTINGS]
    command = BY_NAME.get(name)
    argument = command.argument.strip("[]") if command else ""
    return [(word, "") for word in argument.split("|") if word.islower()]
