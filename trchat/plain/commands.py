"""What the line mode does for the chat's commands."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trchat.catalog.download import download
from trchat.config_file import load_config
from trchat.config_rules import SETTINGS
from trchat.errors import UsageError
from trchat.plain.choose import write_models
from trchat.plain.news import NewsReader
from trchat.plain.output import label, notice, write
from trchat.session.attachments import Attachment, read_attachment
from trchat.session.clipboard import copy_natively
from trchat.session.commands import COMMANDS, current_conversation, in_force
from trchat.session.models import models_to_choose
from trchat.session.news import Compared, Ready
from trchat.session.setting_help import EXPLAINED
from trchat.session.typed_setting import split_keep
from trchat.startup import Prepared
from trchat.storage.export import heading
from trchat.text.code_block import numbered_code_block
from trchat.text.number import whole_number
from trchat.text.one_line import one_line

if TYPE_CHECKING:
    from trchat.session.host import OpenEngine


class PlainCommands(NewsReader):
    """The line mode as a ``FrontEnd``."""

    def __init__(
        self, flags: Mapping[str, object], prepared: Prepared, opener: "OpenEngine | None" = None
    ) -> None:
        super().__init__(flags, prepared, opener)
        self.attached: list[Attachment] = []
        self._deleted: list[int] = []

    def show_latest(self) -> None:
        """Say where the conversation stands, when one is continued."""
        messages = self.session.thread.messages
        for message in messages[-2:]:
            if message.role in ("user", "assistant"):
                label("You" if message.role == "user" else "Model")
                write(message.text.strip() + "\n")

    def tell(self, text: str) -> None:
        """A line about the chat itself."""
        notice(text)

    def say(self, text: str) -> None:
        """Something to read."""
        write(f"{text}\n")

    def change(self, **values: str | int | float | None) -> bool:
        """Change settings. False when the model could not be loaded with them, which has been said then."""
        if self.session.change(**values):
            self.warn()
            notice("loading the model")
            return self.wait_for(Ready)
        return True

    def help_page(self) -> None:
        """List the commands."""
        for command in COMMANDS:
            if not command.screen_only:
                write(f"{command.usage}: {command.help}\n")

    def new(self) -> None:
        """Begin another conversation."""
        self.session.new()
        notice("new conversation")

    def conversations(self, words: str) -> None:
        """List conversations, or open the one with this number."""
        store = self.session.thread.store
        number = whole_number(words)
        if number is not None:
            self.session.open(number)
            self.show_latest()
            return
        if words:
            hits = store.search(words)
            lines = [f"{hit.conversation_id}: {hit.title}: {hit.snippet}" for hit in hits]
        else:
            listed = store.conversations(limit=20)
            lines = [f"{each.id}: {heading(each)}, {each.messages} messages" for each in listed]
        if not lines:
            raise UsageError("no conversation matches" if words else "no conversation yet")
        for line in lines:
            write(f"{line}\n")
        notice("/conversations NUMBER opens one")

    def rename(self, title: str) -> None:
        """Give the conversation another title."""
        self.session.thread.store.rename(current_conversation(self.session), title)
        self.session.thread.reload()
        notice(f"renamed to {one_line(title)}")

    def delete(self) -> None:
        """Delete the conversation."""
        number = current_conversation(self.session)
        self.session.thread.store.delete(number)
        self._deleted.append(number)
        self.session.new()
        notice("conversation deleted; /undo restores it")

    def undo(self) -> None:
        """Restore the conversation deleted last."""
        if not self._deleted:
            raise UsageError("nothing to restore")
        number = self._deleted.pop()
        self.session.thread.store.restore(number)
        self.session.open(number)
        notice("conversation restored")
        self.show_latest()

    def copy(self, block: str | None) -> None:
        """Copy the last answer, or a code block of it."""
        text = self.session.thread.get(None).text
        program = copy_natively(text if block is None else numbered_code_block(text, block))
        if program is None:
            raise UsageError("no clipboard program found; /save writes a file")
        notice("copied")

    def regenerate(self) -> None:
        """Answer again."""
        self.session.regenerate()
        self.follow()

    def retry(self) -> None:
        """Restart the engine, and answer again where it broke off."""
        begins = self.session.retry()
        notice("loading the model")
        if self.wait_for(Ready) and begins is not None:
            self.follow()

    def edit(self, text: str) -> None:
        """Ask the last question in these words."""
        if not text:
            raise UsageError("Usage: /edit TEXT")
        self.session.edit(self.session.thread.last_question().id, text)
        self.follow()

    def proceed(self) -> None:
        """Go on with an answer that was cut."""
        self.session.proceed()
        self.follow()

    def branch(self, by: int) -> None:
        """Show another branch of the last answer that has any."""
        thread = self.session.thread
        branched = thread.last_branched()
        if branched is None:
            raise UsageError("only one branch; /regen or /edit adds another")
        if not thread.switch(branched, by):
            raise UsageError("no more branches on that side")
        self.show_latest()

    def stop(self) -> None:
        """Nothing is being written while a line is read."""
        raise UsageError("Ctrl+C stops an answer")

    def attach(self, name: str) -> None:
        """Send a file along with the next question."""
        attachment = read_attachment(name, notice)
        self.attached.append(attachment)
        notice(f"attached {attachment.about}; it is sent with the next question")

    def detach(self) -> None:
        """Send none."""
        self.attached.clear()
        notice("attachments removed")

    def model(self, name: str) -> None:
        """Switch to the model with this name or number, or to the one to ``get``, or list all."""
        name, scope = split_keep(name)
        number = whole_number(name)
        if number is not None:
            models = models_to_choose(self.session.prepared.model)[0]
            if not 1 <= number <= len(models):
                raise UsageError(f"there is no model {number}; /model lists them")
            name = str(models[number - 1].model.path)
        elif name.startswith("get "):
            name = str(download(name.removeprefix("get "), notice))
        elif not name and not scope:
            write_models(self.session.prepared.model)
            notice("/model NUMBER or /model NAME switches, /model get OWNER/NAME downloads one")
            return
        if not name or self.change(model=name):
            notice(f"the model is now {self.session.prepared.model.name}")
            if scope:
                notice(self.session.keep("model", scope))

    def personas(self) -> None:
        """List the saved system prompts."""
        personas = load_config().personas
        if not personas:
            raise UsageError("no persona yet; set one with /system TEXT, then /persona-save NAME")
        for name, placed in personas.items():
            write(f"{name}: {placed.value}\n")

    def settings(self) -> None:
        """List the settings."""
        for name in SETTINGS:
            write(f"{name}: {in_force(self.session, name)} ({EXPLAINED[name]})\n")
        notice("/set NAME VALUE changes one; --keep at its end makes it the default")

    def lens(self, colour: bool) -> None:
        """Let each answer be followed by what was guessed, or no longer."""
        self.lens_on = not self.lens_on
        notice(
            "each answer will be followed by what was guessed"
            if self.lens_on
            else "guesses are no longer shown"
        )

    def compare(self) -> None:
        """Answer again without drafts."""
        self.session.compare()
        notice("answering again without drafts")
        self.wait_for(Compared)

    def theme(self, name: str) -> None:
        """There are no colours here."""
        raise UsageError("/theme is for the full-screen chat")

    def quit(self) -> None:
        """Leave after this line."""
        self.leaving = 0
