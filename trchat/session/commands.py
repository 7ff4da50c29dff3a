"""The chat's commands: each declared once, with what it does, for every front end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trchat.config_file import change_config, load_config
from trchat.errors import UsageError
from trchat.paths import user_path
from trchat.session.save import save_markdown
from trchat.session.session import Session
from trchat.session.typed_setting import parse_assignment, parse_setting, split_keep
from trchat.text.one_line import one_line


class FrontEnd(Protocol):
    """What a front end does for the commands typed in it.

    A method that returns an awaitable has it awaited. Methods raise TrchatError for what they refuse, or tell
    the user themselves.
    """

    session: Session

    def tell(self, text: str) -> object:
        """Tell the user something short."""

    def say(self, text: str) -> object:
        """Show the user something to read."""

    def change(self, **values: str | int | float | None) -> bool:
        """Change settings and show what came of it; False where the user was told that it failed."""

    def help_page(self) -> object:
        """Show all commands."""

    def new(self) -> object:
        """Begin another conversation."""

    def conversations(self, words: str) -> object:
        """List the earlier conversations, or those with these words, and open one."""

    def rename(self, title: str) -> object:
        """Give the conversation another title."""

    def delete(self) -> object:
        """Delete the conversation that is shown."""

    def undo(self) -> object:
        """Restore the conversation deleted last, and show it."""

    def copy(self, block: str | None) -> object:
        """Copy the last answer, or its code block with this number."""

    def regenerate(self) -> object:
        """Answer the last question again."""

    def retry(self) -> object:
        """Restart the engine, and answer again where it broke off."""

    def edit(self, text: str) -> object:
        """Ask the last question in other words: these, where there are any."""

    def proceed(self) -> object:
        """Go on with an answer that was cut."""

    def branch(self, by: int) -> object:
        """Show another branch."""

    def stop(self) -> object:
        """Stop the answer being written."""

    def attach(self, name: str) -> object:
        """Send a file along with the next question."""

    def detach(self) -> object:
        """Send none."""

    def model(self, name: str) -> object:
        """Switch to a model, or list those there are; ``name`` may end in ``--keep``."""

    def personas(self) -> object:
        """List the saved system prompts, or have one chosen."""

    def settings(self) -> object:
        """List the settings."""

    def lens(self, colour: bool) -> object:
        """Show or hide which tokens were guessed; ``colour``: by who guessed them."""

    def compare(self) -> object:
        """Answer again without drafts."""

    def theme(self, name: str) -> object:
        """Use these colours, or have them chosen."""

    def quit(self) -> object:
        """Leave."""


def current_conversation(session: Session) -> int:
    """The ID of the conversation that is shown. Raises UsageError where there is none."""
    if session.thread.conversation is None:
        raise UsageError("no conversation yet")
    return session.thread.conversation.id


def branch_step(argument: str) -> int:
    """Which way ``/branch`` goes: 1, or -1 where nothing was said. Raises UsageError for other words."""
    word = argument.lower()
    if "next".startswith(word) and word:
        return 1
    if "previous".startswith(word):
        return -1
    raise UsageError(f"/branch takes next or previous, not {one_line(argument)!r}")


def set_setting(chat: FrontEnd, typed: str) -> bool:
    """Change a setting, as ``name value`` or ``name=value``; False where the user was told that it failed."""
    typed, scope = split_keep(typed)
    field, value = parse_assignment(typed)
    if field == "theme":
        chat.theme("default" if value is None else str(value))
        return True
    if not chat.change(**{field: value}):
        return False
    chat.tell(f"{field} is now {in_force(chat.session, field)}")
    if scope:
        chat.tell(chat.session.keep(field, scope))
    return True


def in_force(session: Session, name: str) -> str:
    """A setting's value, in words where nothing is set."""
    if name == "model":
        return session.prepared.model.name
    value = session.n_ctx if name == "ctx" else getattr(session.settings, name)
    return "not set" if value is None else str(value)


def _save(chat: FrontEnd, name: str) -> None:
    path = user_path(name) if name else None
    number = current_conversation(chat.session)
    chat.tell(f"Saved as {save_markdown(chat.session.thread.store, number, path)}")


def _system(chat: FrontEnd, typed: str) -> None:
    text, scope = split_keep(typed)
    if not text and not scope:
        system = chat.session.system
        no_system = "There is no system prompt; /system TEXT sets one."
        chat.say(f"System prompt:\n{system}" if system else no_system)
        return
    if text and not _use_system(chat, "" if text == "clear" else text):
        return
    if scope:
        chat.tell(chat.session.keep("system", scope))


def _use_system(chat: FrontEnd, text: str) -> bool:
    if not chat.change(system=text):
        return False
    chat.tell("System prompt set" if text else "System prompt cleared")
    return True


def use_persona(chat: FrontEnd, name: str) -> object:
    """Use a saved system prompt. Raises UsageError where none is called so."""
    if not name:
        return chat.personas()
    personas = load_config().personas
    if name not in personas:
        there_are = ", ".join(personas) or "none"
        raise UsageError(f"no persona is called {one_line(name)!r}; there are: {there_are}")
    return _use_system(chat, str(personas[name].value))


def _save_persona(chat: FrontEnd, name: str) -> None:
    if not chat.session.system:
        raise UsageError("no system prompt to save; /system TEXT sets one")
    change_config(("personas", name), chat.session.system)
    chat.change()  # nothing but what the system prompt is called now
    chat.tell(f"Saved; /persona {name} uses it")


def _think(chat: FrontEnd, typed: str) -> None:
    if not typed:
        chat.tell(chat.session.tell_thinking())
        return
    mode, scope = split_keep(typed)
    if mode and not chat.change(think=parse_setting("think", mode.lower())[1]):
        return
    chat.tell(chat.session.about_thinking())
    if scope:
        chat.tell(chat.session.keep("think", scope))


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``/name argument``, what it is for, and what it does.

    ``needs``: it does nothing without its argument. ``screen_only``: the line mode does not list it.
    """

    name: str
    argument: str
    help: str
    run: Callable[[FrontEnd, str], object]
    needs: bool = False
    screen_only: bool = False

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"/{self.name} {self.argument}".rstrip()


COMMANDS = (
    Command("help", "", "Show all commands and keys", lambda chat, _: chat.help_page()),
    Command("new", "", "Start a new conversation", lambda chat, _: chat.new()),
    Command(
        "conversations",
        "[WORDS]",
        "Search and open earlier conversations",
        lambda chat, words: chat.conversations(words),
    ),
    Command(
        "rename", "TITLE", "Rename this conversation", lambda chat, title: chat.rename(title), needs=True
    ),
    Command("delete", "", "Delete this conversation", lambda chat, _: chat.delete()),
    Command("undo", "", "Restore the conversation deleted last", lambda chat, _: chat.undo()),
    Command("save", "[FILE]", "Save this conversation as Markdown", _save),
    Command(
        "copy",
        "[N]",
        "Copy the last answer, or code block N of it",
        lambda chat, block: chat.copy(block or None),
    ),
    Command("regen", "", "Regenerate the last answer on a new branch", lambda chat, _: chat.regenerate()),
    Command("retry", "", "Restart the engine after a crash, and answer again", lambda chat, _: chat.retry()),
    Command(
        "edit",
        "[TEXT]",
        "Edit the last question and ask again on a new branch",
        lambda chat, text: chat.edit(text),
    ),
    Command("continue", "", "Continue an answer that was cut off or stopped", lambda chat, _: chat.proceed()),
    Command(
        "branch",
        "[next|previous]",
        "Show another branch of the last answer",
        lambda chat, way: chat.branch(branch_step(way)),
    ),
    Command(
        "stop", "", "Stop the answer and keep what there is", lambda chat, _: chat.stop(), screen_only=True
    ),
    Command(
        "attach",
        "FILE",
        "Attach a text or PDF file to the next question",
        lambda chat, name: chat.attach(name),
        needs=True,
    ),
    Command("detach", "", "Remove the attached files", lambda chat, _: chat.detach()),
    Command(
        "model",
        "[NAME|get OWNER/NAME]",
        "Switch to another model, or download one",
        lambda chat, name: chat.model(name),
    ),
    Command("system", "[TEXT|clear]", "Show, set or clear the system prompt", _system),
    Command("persona", "[NAME]", "Use a saved system prompt", use_persona),
    Command("persona-save", "NAME", "Save the system prompt under a name", _save_persona, needs=True),
    Command(
        "think", "[on|off|low|medium|high|auto]", "Have the model think before it answers, or not", _think
    ),
    Command(
        "draft",
        "auto|recycling|lookup|off",
        "Choose how tokens are guessed ahead",
        lambda chat, mode: set_setting(chat, f"draft {mode}"),
        needs=True,
    ),
    Command(
        "set",
        "NAME VALUE [--keep]",
        "Change a setting, such as temp, ctx or max_tokens",
        set_setting,
        needs=True,
    ),
    Command("settings", "", "Show and change all settings", lambda chat, _: chat.settings()),
    Command(
        "lens",
        "[colour]",
        "Show which tokens were guessed, and the draft tree",
        lambda chat, colour: chat.lens(bool(colour)),
    ),
    Command(
        "compare",
        "",
        "Answer again without drafts: same text, different speed",
        lambda chat, _: chat.compare(),
    ),
    Command("theme", "[NAME]", "Choose the colours", lambda chat, name: chat.theme(name), screen_only=True),
    Command("quit", "", "Save and exit", lambda chat, _: chat.quit()),
)
BY_NAME = {command.name: command for command in COMMANDS}
