"""What all parts of the chat screen share: the session and the widgets."""

from asyncio import Lock
from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import ProgressBar, Static

from trchat.errors import TrchatError
from trchat.session.models import model_line
from trchat.session.session import Session
from trchat.storage.export import heading
from trchat.storage.records import Message
from trchat.text.code_block import without_files
from trchat.text.one_line import one_line
from trchat.tui.source_colours import SourceColours
from trchat.tui.widgets.find_field import FindField
from trchat.tui.widgets.keys_line import KeysLine
from trchat.tui.widgets.lens_panel import LensPanel
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.prompt import Prompt
from trchat.tui.widgets.status_line import StatusLine
from trchat.tui.widgets.transcript import Transcript
from trchat.tui.widgets.welcome import MOST


class ChatBase(Screen[None]):
    """The chat's widgets, and small things to do with them."""

    def __init__(self, session: Session) -> None:
        super().__init__(id="chat")
        self.session = session
        self.transcript = Transcript()
        self.prompt = Prompt()
        self.status = StatusLine()
        self.keys = KeysLine()
        self.panel = LensPanel()
        self.hint = Static("", id="hint", markup=False)
        self.heading = Static("", id="heading", markup=False)
        self.bar = ProgressBar(total=1.0, show_eta=False, show_percentage=False, id="loading")
        self.more = Static(" ↓ more ", id="more", markup=False)
        self.find = FindField()
        self.lens_on = False
        self.drawing = Lock()
        """Held while messages are mounted: what the engine says waits until there is a place for it."""
        self.lens_colours = False
        self.colours = SourceColours()

    def compose(self) -> ComposeResult:
        """Heading, transcript with the lens beside it, prompt, status, keys."""
        yield self.heading
        with Horizontal(id="middle"):
            yield self.transcript
            yield self.panel
        with Vertical(id="bottom"):
            yield self.more
            yield self.prompt.suggestions
            yield self.find
            yield self.hint
            yield self.bar
            yield self.prompt
            yield self.status
        yield self.keys

    async def run_command(self, name: str, argument: str) -> bool:
        """Run one of the chat's commands; False where it was refused, which the user was told."""
        raise NotImplementedError

    def tell(self, text: str, severity: str = "information") -> None:
        """A short notice that goes away by itself."""
        self.notify(one_line(text), severity=severity, markup=False)  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        """A notice in the chat itself, for what should not go away by itself."""
        self.transcript.say(text)

    def attempt(self, work: Callable[[], object]) -> bool:
        """Run ``work``; what it refuses is told to the user. True when it went well."""
        try:
            work()
        except TrchatError as error:
            self.tell(str(error), "warning")
            return False
        return True

    def show_hint(self, text: str) -> None:
        """A line or two above the prompt; empty hides it."""
        self.hint.update(text)
        self.hint.display = bool(text)

    def show_heading(self) -> None:
        """The conversation's title, and the keys that have something to act on."""
        self.show_keys()
        conversation = self.session.thread.conversation
        self.heading.update(one_line(heading(conversation)) if conversation else "New conversation")

    def show_keys(self) -> None:
        """Show the keys that have something to act on: while an answer is written, one of them stops it."""
        messages = self.session.thread.messages
        idle = {"compare", "regenerate", "new"} if self.session.busy else {"stop"}
        if not messages:
            idle |= {"compare", "regenerate", "edit", "copy", "new"}
        if self.session.busy or not messages or messages[-1].finish_reason in ("stop", None):
            idle.add("continue")
        branched = None if self.session.busy else self.session.thread.last_branched()
        place, count = self.session.thread.siblings(branched) if branched else (1, 1)
        if place == 1:
            idle.add("branch-previous")
        if place == count:
            idle.add("branch-next")
        self.keys.leave_out(frozenset(idle))

    def show_settings(self) -> None:
        """Say what answers, and as whom."""
        name = self.session.prepared.model.name
        self.transcript.model = name
        think = f"think {self.session.settings.think}" if self.session.thinking.kinds else ""
        self.status.set_model(name, self.session.n_ctx, self.session.persona, think)
        self.transcript.welcome.show_model(model_line(self.session.prepared.model), self.session.system)

    async def show_thread(self) -> None:
        """Draw the conversation as the session has it now."""
        thread = self.session.thread
        self.show_settings()
        self.transcript.writing = self.session.writing
        await self.transcript.show(thread.messages, thread.siblings)
        if not thread.messages:
            self.transcript.welcome.show_recent(thread.store.conversations(limit=MOST))
        self.recall()
        self.status.set_context(self.session.context_used)
        self.show_heading()

    def recall(self) -> None:
        """Let the prompt bring back what was asked, without the files that went along."""
        asked = [each.text for each in self.session.thread.messages if each.role == "user"]
        self.prompt.recall_from([without_files(text) for text in asked])

    def focused_message(self) -> Message | None:
        """The message that has the focus."""
        return self.focused.message if isinstance(self.focused, MessageView) else None
