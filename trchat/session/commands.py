"""Slash commands: the same in every front end."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trchat.chat.thinking import typed_to_the_model
from trchat.config_rules import SETTINGS, THINK_MODES
from trchat.errors import UsageError
from trchat.session.explained import EXPLAINED
from trchat.text.one_line import one_line


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``/name argument``. ``needs`` says that it does nothing without its argument."""

    name: str
    argument: str
    help: str
    needs: bool = False


COMMANDS = (
    Command("help", "", "Show all commands and keys"),
    Command("new", "", "Start a new conversation"),
    Command("conversations", "[WORDS]", "Search and open earlier conversations"),
    Command("rename", "TITLE", "Rename this conversation", needs=True),
    Command("delete", "", "Delete this conversation"),
    Command("undo", "", "Restore the conversation deleted last"),
    Command("save", "[FILE]", "Save this conversation as Markdown"),
    Command("copy", "[N]", "Copy the last answer, or code block N of it"),
    Command("regen", "", "Regenerate the last answer on a new branch"),
    Command("retry", "", "Restart the engine after a crash, and answer again"),
    Command("edit", "", "Edit the last question and ask again on a new branch"),
    Command("continue", "", "Continue an answer that was cut off or stopped"),
    Command("branch", "[next|previous]", "Show another branch of the last answer"),
    Command("stop", "", "Stop the answer and keep what there is"),
    Command("attach", "FILE", "Attach a text or PDF file to the next question", needs=True),
    Command("detach", "", "Remove the attached files"),
    Command("model", "[NAME]", "Switch to another model, or download one"),
    Command("system", "[TEXT|clear]", "Show, set or clear the system prompt"),
    Command("persona", "[NAME]", "Use a saved system prompt"),
    Command("persona-save", "NAME", "Save the system prompt under a name", needs=True),
    Command("think", "[on|off|low|medium|high|auto]", "Have the model think before it answers, or not"),
    Command("draft", "auto|recycling|lookup|off", "Choose how tokens are guessed ahead", needs=True),
    Command("set", "NAME VALUE [--keep]", "Change a setting, such as temp, ctx or max_tokens", needs=True),
    Command("settings", "", "Show and change all settings"),
    Command("lens", "[color]", "Show which tokens were guessed, and the draft tree"),
    Command("compare", "", "Answer again without drafts: same text, different speed"),
    Command("theme", "[NAME]", "Choose the colors"),
    Command("quit", "", "Save and exit"),
)
_BY_NAME = {command.name: command for command in COMMANDS}


def parse_command(text: str, template: str | None = None) -> tuple[Command, str] | None:
    """The command that a line is, with its argument; None when it is something to say to the model.

    Raises UsageError for an unknown command. ``//`` begins a text that shall start with a slash, and a path
    such as ``/usr/lib is full`` is no command; nor is ``/no_think`` with a model that knows it, which is
    told by its chat ``template``.
    """
    if not text.startswith("/") or "\n" in text.strip() or text.startswith("//"):
        return None
    word, _, argument = text[1:].strip().partition(" ")
    if "/" in word or not word:
        return None
    command = _BY_NAME.get(word.lower())
    argument = argument.strip()
    is_mode = argument.lower() in ("", *THINK_MODES)
    if (command is None or (command.name == "think" and not is_mode)) and typed_to_the_model(text, template):
        return None
    if command is None:
        near = difflib.get_close_matches(word.lower(), _BY_NAME, n=1, cutoff=0.6)
        hint = f"did you mean /{near[0]}? " if near else ""
        raise UsageError(f"no such command: /{one_line(word)}; {hint}/help lists them all")
    if command.needs and not argument:
        raise UsageError(f"Usage: /{command.name} {command.argument}")
    return command, argument


def branch_step(argument: str) -> int:
    """Which way ``/branch`` goes: 1, or -1 where nothing was said. Raises UsageError for other words."""
    word = argument.lower()
    if "next".startswith(word) and word:
        return 1
    if "previous".startswith(word):
        return -1
    raise UsageError(f"/branch takes next or previous, not {one_line(argument)!r}")


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
                f"/{command.name} {command.argument}".rstrip(),
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
    command = _BY_NAME.get(name)
    argument = command.argument.strip("[]") if command else ""
    return [(word, "") for word in argument.split("|") if word.islower()]
