"""The chat: what the engine says is shown here, and what the user wants goes to the session from here."""

import gc
from inspect import isawaitable
from typing import ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.message import Message

from trchat.errors import TrchatError
from trchat.session.commands import BY_NAME
from trchat.session.news import (
    Compared,
    Comparing,
    Dropped,
    Ended,
    Grown,
    LoadFailed,
    Loading,
    News,
    Notice,
    Reading,
    Ready,
)
from trchat.tui.keys import CHAT_KEYS
from trchat.tui.screens.answer_actions import AnswerActions
from trchat.tui.screens.conversation_actions import ConversationActions
from trchat.tui.screens.find_actions import FindActions
from trchat.tui.screens.help import HelpScreen
from trchat.tui.screens.model_actions import ModelActions
from trchat.tui.widgets.key_order import types
from trchat.tui.widgets.keys_line import ORDER


class NewsArrived(Message):
    """The engine's thread has put something into the outbox; ``Outbox.take`` gives it."""


class ChatScreen(ConversationActions, FindActions, ModelActions, AnswerActions):
    """The main screen."""

    BINDINGS: ClassVar[list[BindingType]] = list(CHAT_KEYS)
    AUTO_FOCUS = "#prompt"

    async def on_mount(self) -> None:
        """Show the conversation to go on with, and what the engine has said so far."""
        self.panel.display = self.more.display = self.find.display = False
        self.show_hint("")
        self.prompt.move_beside = self.move_beside
        self.prompt.words = self.words
        self.show_settings()
        await self.show_thread()
        self.warn()
        await self.take_news()

    def on_key(self, event: events.Key) -> None:
        """What is typed while nothing has the focus, as in the first moment, belongs to the prompt."""
        # By the time it arrives here the prompt may have got the focus; what it handles never comes here.
        if self.focused in (None, self.prompt) and types(event) and event.character:
            event.stop()
            self.prompt.insert(event.character)
            self.prompt.focus()

    @on(NewsArrived)
    async def take_news(self) -> None:
        """Take everything the engine's thread has left."""
        async with self.drawing:
            for news in self.session.host.outbox.take():
                if not getattr(self.app, "leaving", False):
                    await self._take(news)

    async def _take(self, news: News) -> None:
        match news:
            case Loading(fraction):
                self.loading_progress(fraction)
            case Ready():
                self._model_ready(news)
            case Notice(text):
                self.say(text)
            case LoadFailed(reason):
                self._model_failed(reason)
            case Reading(_, done, total):
                self.status.set_state(f"reading the question {done / max(total, 1):.0%}")
            case Dropped():
                self._dropped(news)
            case Grown():
                await self._grown(news)
            case Ended():
                await self._ended(news)
            case Comparing(_, done, total):
                self.status.set_state(f"comparing without drafts {done / max(total, 1):.0%}")
            case Compared():
                self._compared(news)

    async def run_command(self, name: str, argument: str) -> bool:
        """Run one of the chat's commands; False where it was refused, which the user was told."""
        try:
            result = BY_NAME[name].run(self, argument)
            if isawaitable(result):
                result = await result
        except TrchatError as error:
            self.tell(str(error), "warning")
            return False
        return result is not False

    async def action_command(self, name: str, argument: str = "") -> None:
        """A key that is a command."""
        await self.run_command(name, argument)

    async def quit(self) -> None:
        """Leave."""
        await self.app.action_quit()

    def help_page(self) -> None:
        """All commands and keys."""
        found: dict[str, tuple[list[str], str]] = {}
        for key, each in self.active_bindings.items():
            if each.binding.id:
                does = each.binding.tooltip or each.binding.description
                found.setdefault(each.binding.id, ([], does))[0].append(key)
        names = sorted(found, key=lambda name: ORDER.get(name, -1))  # the prompt's own come first
        self.app.push_screen(
            HelpScreen([(", ".join(found[name][0]), found[name][1], name) for name in names])
        )

    def _model_ready(self, news: Ready) -> None:
        self.session.ready(news.n_ctx, news.thinking)
        self.bar.display = False
        self.status.set_state("")
        self.show_settings()
        self.panel.show_learned(news.rows_learned, news.came_free)
        # What is there now stays. Without this the collector looks through all of it while an answer is
        # written, and holds up the model's thread for 50 ms.
        gc.collect()
        gc.freeze()
        for notice in news.notices:
            self.say(f"About this model: {notice}")

    def _model_failed(self, reason: str) -> None:
        self.bar.display = False
        self.status.set_state("no model loaded · /model")
        self.say(
            f"The model could not be loaded: {reason}\n"
            "/model switches to another one, /set changes how it is loaded."
        )

    def _dropped(self, news: Dropped) -> None:
        self.session.dropping()
        view = self.transcript.answer_view(news.message_id)
        if view:
            view.say(str(news))

    async def _grown(self, news: Grown) -> None:
        view = self.transcript.answer_view(news.message_id)
        if view:
            view.grow(news)
        self.status.set_state("thinking" if view and view.thinking else "writing")
        self.status.set_speed(news.speed, at_once=False)
        self.panel.grow(news)

    async def _ended(self, news: Ended) -> None:
        removed = self.session.ended(news.message_id)
        self.status.set_state("")
        if news.speed.steps:
            self.status.set_speed(news.speed)
            self.panel.end()
        view = self.transcript.answer_view(news.message_id)
        if removed:  # what was written of it stays on the screen
            self.say(removed)
        elif view:
            message = self.session.thread.store.message(news.message_id)
            room = view.finish(message, news.speed, news.error or news.remark)
            self.transcript.keep_room(room)
        elif news.error or news.remark:
            self.say(news.error or news.remark or "")
        warning = self.session.warning_of_dropping(news.speed.context_used)
        if warning:
            self.say(warning)
        await self.send_next("error" if news.error else news.finish)
        self.show_heading()

    def _compared(self, news: Compared) -> None:
        removed = self.session.ended(news.message_id)
        self.status.set_state("")
        self.show_keys()
        if removed:
            self.say(removed)
        view = self.transcript.answer_view(news.message_id)
        if view:
            view.compared(news)
