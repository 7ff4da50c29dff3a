"""The conversation on the screen: the latest messages, and earlier ones when they are scrolled to."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message as TextualMessage
from textual.widgets import Static

from trchat.storage.records import Message
from trchat.text.visible import visible
from trchat.tui.widgets.answer_view import AnswerView
from trchat.tui.widgets.cheap_redraw import Even
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.question_view import QuestionView
from trchat.tui.widgets.welcome import Welcome

AT_ONCE = 20
"""Messages mounted at a time: opening a conversation of thousands takes no longer than one of twenty."""


class Messages(Even, Vertical):
    """All that scrolls."""


class Transcript(Even, VerticalScroll, can_focus=False):
    """Shows a branch; it follows a growing answer unless the user has scrolled up."""

    class Away(TextualMessage):
        """The end came into view, or went out of it."""

        def __init__(self, away: bool) -> None:
            super().__init__()
            self.away = away

    def __init__(self) -> None:
        super().__init__(id="transcript")
        self._away = False
        self.welcome = Welcome()
        self._earlier: list[Message] = []
        self._branch: Callable[[Message], tuple[int, int]] = lambda _message: (1, 1)
        self._loading = False
        self.model = ""
        """The model in use."""
        self.writing: int | None = None
        """The answer being written."""
        self._views_by_id: dict[int, MessageView] = {}

    def compose(self) -> ComposeResult:
        """Empty at first."""
        # As high as the screen at least: a short conversation lies at its end, by the prompt.
        with Messages(id="messages"):
            yield self.welcome
            yield Static("", id="earlier", markup=False)
            yield Static("", id="room", markup=False)

    def on_mount(self) -> None:
        """Follow the end."""
        self.query_one("#earlier").display = False
        self.keep_room(0)
        self.anchor()

    async def show(self, messages: Sequence[Message], branch: Callable[[Message], tuple[int, int]]) -> None:
        """Show a branch from its end; ``branch`` tells which one a message is on."""
        self._branch = branch
        self._earlier = list(messages[:-AT_ONCE])
        with self.app.batch_update():
            await self.query("MessageView, .told").remove()
            self._views_by_id.clear()
            self.welcome.display = not messages
            await self._messages.mount_all(self._views(messages[-AT_ONCE:]), before="#room")
        self._tell_earlier()
        self.keep_room(0)
        self.anchor()

    async def add(self, *messages: Message) -> None:
        """Add messages at the end, and follow them."""
        self.welcome.display = False
        self.keep_room(0)
        await self._messages.mount_all(self._views(messages), before="#room")
        self.anchor()

    def say(self, text: str) -> None:
        """Put a notice below the last message; it stays until another conversation or branch is shown."""
        self.keep_room(0)
        self._messages.mount(Static(visible(text), classes="told", markup=False), before="#room")

    def to_end(self) -> None:
        """Show the end, and follow it from now on."""
        self.anchor()
        self.scroll_end(animate=False)

    def keep_room(self, lines: int) -> None:
        """Keep empty lines below the last message, until the next: what stands there does not move."""
        room = self.query_one("#room")
        room.styles.height = lines
        room.display = lines > 0

    def view_of(self, message_id: int) -> MessageView | None:
        """The widget of a message, if it is on the screen."""
        view = self._views_by_id.get(message_id)
        return view if view is not None and view.is_attached else None

    def answer_view(self, message_id: int) -> AnswerView | None:
        """The widget of an answer, if it is on the screen."""
        view = self.view_of(message_id)
        return view if isinstance(view, AnswerView) else None

    def answers(self) -> list[AnswerView]:
        """All answers on the screen, oldest first."""
        return list(self.query(AnswerView))

    def views(self) -> list[MessageView]:
        """All messages on the screen, oldest first."""
        return list(self.query(MessageView))

    def scroll_to_widget_line(self, view: MessageView, line: int) -> None:
        """Show a line of a message, counted from its top, in the middle of the screen."""
        top = view.virtual_region.y + line - self.size.height // 2
        self.scroll_to(y=max(top, 0), animate=False)

    async def show_earlier(self) -> bool:
        """Mount the messages before those on the screen, without moving what is read; False without any."""
        if self._loading or not self._earlier:
            return False
        self._loading = True
        messages, self._earlier = self._earlier[-AT_ONCE:], self._earlier[:-AT_ONCE]
        height = self.virtual_size.height
        self.release_anchor()
        await self._messages.mount_all(self._views(messages), after=self.query_one("#earlier"))
        self._tell_earlier()

        def stay() -> None:
            self.scroll_to(y=self.scroll_y + self.virtual_size.height - height, animate=False)
            self._loading = False

        self.call_after_refresh(stay)
        return True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Reaching the top brings earlier messages."""
        super().watch_scroll_y(old_value, new_value)
        away = self.max_scroll_y - new_value > 1
        if away != self._away:
            self._away = away
            self.post_message(self.Away(away))
        if new_value <= 1 < old_value:
            self.call_next(self.show_earlier)

    @property
    def _messages(self) -> Messages:
        return self.query_one(Messages)

    def _tell_earlier(self) -> None:
        row = self.query_one("#earlier", Static)
        row.update(f"↑ {len(self._earlier)} earlier messages")
        row.display = bool(self._earlier)

    def _views(self, messages: Sequence[Message]) -> list[MessageView]:
        views: list[MessageView] = [
            AnswerView(message, self._branch(message), self.model, message.id == self.writing)
            if message.role == "assistant"
            else QuestionView(message, self._branch(message))
            for message in messages
        ]
        self._views_by_id.update({view.message.id: view for view in views})
        return views
