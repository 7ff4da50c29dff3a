"""Slash commands: the same in every front end."""

import difflib
from dataclasses import dataclass

from trchat.chat.thinking import typed_to_the_model
from trchat.config_rules import SETTINGS, THINK_MODES
from trchat.errors import UsageError
from trchat.text.one_line import one_line


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``/name argument``. ``needs`` says that it does nothing without its argument."""

    name: str
    argument: str
    help: str
    needs: bool = False


COMMANDS = (
    Command("help", "", "Show commands and keys"),
    Command("new", "", "Begin a new conversation"),
    Command("conversations", "[WORDS]", "Find and open an earlier conversation"),
    Command("rename", "TITLE", "Give this conversation another title", needs=True),
    Command("delete", "", "Delete this conversation"),
    Command("undo", "", "Bring back the conversation deleted last"),
    Command("save", "[FILE]", "Save this conversation as Markdown"),
    Command("copy", "[N]", "Copy the answer, or its code block N"),
    Command("regen", "", "Answer the last question again, on a new branch"),
    Command("retry", "", "Start the engine anew after a crash, and answer again"),
    Command("edit", "", "Change the last question and ask again, on a new branch"),
    Command("continue", "", "Go on with an answer that was cut or stopped"),
    Command("branch", "[next|previous]", "Show another branch of the last answer"),
    Command("stop", "", "Stop the answer and keep what there is"),
    Command("attach", "FILE", "Send a text file along with the next question", needs=True),
    Command("detach", "", "Take the attached files off again"),
    Command("model", "[NAME]", "Choose another model"),
    Command("system", "[TEXT]", "Set the system prompt; without a text: none"),
    Command("persona", "[NAME]", "Use a saved system prompt"),
    Command("persona-save", "NAME", "Save the system prompt under a name", needs=True),
    Command("think", "[on|off|low|medium|high|auto]", "Have the model think before it answers, or not"),
    Command("draft", "auto|recycling|lookup|off", "Choose how tokens are guessed ahead", needs=True),
    Command("set", "NAME VALUE", "Change a setting, such as temp, ctx or max_tokens", needs=True),
    Command("settings", "", "Show and change all settings"),
    Command("lens", "[colour]", "See which tokens were guessed, and the draft tree"),
    Command("compare", "", "Answer again without drafts: same text, other speed"),
    Command("theme", "[NAME]", "Choose the colours"),
    Command("quit", "", "Save and leave"),
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
        raise UsageError(f"there is no command /{one_line(word)}; {hint}/help shows them all")
    if command.needs and not argument:
        raise UsageError(f"/{command.name} needs {command.argument}")
    return command, argument


def branch_step(argument: str) -> int:
    """Which way ``/branch`` goes: 1, or -1 where nothing was said. Raises UsageError for other words."""
    word = argument.lower()
    if "next".startswith(word) and word:
        return 1
    if "previous".startswith(word):
        return -1
    raise UsageError(f"/branch goes to the next or the previous one, not to {one_line(argument)!r}")


def unescaped(text: str) -> str:
    """What is said: a doubled slash at its start is one."""
    return text[1:] if text.startswith("//") else text


def completions(begun: str) -> list[str]:
    """What a line may become: commands, or a command with one of the words it takes."""
    name, space, argument = begun.lower().partition(" ")
    if not space:
        return [f"/{command.name}" for command in COMMANDS if f"/{command.name}".startswith(name)]
    return [f"{name} {word}" for word in _words(name.removeprefix("/")) if word.startswith(argument)]


def _words(name: str) -> list[str]:
    """Those that a command takes and that are known here; ``Command.argument`` has them in small letters."""
    if name == "set":
        return list(SETTINGS)
    command = _BY_NAME.get(name)
    return [word for word in command.argument.strip("[]").split("|") if word.islower()] if command else []
