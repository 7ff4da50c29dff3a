"""The application: one chat screen, its colours and keys, and the way out."""

import asyncio
import gc
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.command import Provider

from trchat.session.start import start_session
from trchat.startup import Prepared
from trchat.text.one_line import one_line
from trchat.tui.bindings import all_bindings
from trchat.tui.keys import APP_KEYS, keymap
from trchat.tui.palette import SlashCommands
from trchat.tui.screens.chat import ChatScreen, NewsArrived
from trchat.tui.terminal_keys import read_alt_keys
from trchat.tui.themes import DARK, DEFAULT, LIGHT

if TYPE_CHECKING:
    from trchat.session.host import OpenEngine


class TrchatApp(App[None]):
    """``close_session`` must be called after ``run``, whatever happened in it."""

    TITLE = "trchat"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = list(APP_KEYS)
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {SlashCommands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-normal"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012

    def __init__(
        self, flags: Mapping[str, object], prepared: Prepared, opener: "OpenEngine | None" = None
    ) -> None:
        """Begin to load the model at once. Raises UsageError for keys that cannot be bound."""
        # https://no-color.org: the terminal's own colours only, and what needs a mark is set off by style.
        read_alt_keys()
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.set_keymap(dict(keymap(prepared.config, all_bindings())))
        self.failure: Exception | None = None
        """The unexpected error that ended the chat."""
        self._warnings: list[str] = []
        self._wakes: asyncio.AbstractEventLoop | None = None
        self.leaving = False
        """Whether the widgets are about to go: nothing can be shown any more."""
        self._theme_wanted = prepared.settings.theme
        self.session = start_session(flags, prepared, self._wake, self._warn, opener)
        self.chat = ChatScreen(self.session)

    def get_default_screen(self) -> ChatScreen:
        """The chat."""
        self._wakes = asyncio.get_running_loop()
        return self.chat

    def on_mount(self) -> None:
        """Put on the remembered colours."""
        # After Ctrl+Z and fg, Textual draws only what has changed, onto a screen that is empty.
        self.app_resume_signal.subscribe(self, lambda _app: self.refresh())
        wanted = self._theme_wanted
        self.theme = wanted if wanted in self.available_themes else DEFAULT
        if wanted and wanted not in self.available_themes:
            self.notify(f"no theme is called {one_line(wanted)!r}; /theme lists them", markup=False)
        for line in self._warnings:
            self.notify(line, severity="warning", markup=False)

    async def action_quit(self) -> None:
        """Leave; what is being written is kept as it stands."""
        self._go(0)

    def leave(self, code: int) -> None:
        """Leave as ``action_quit`` does, with this exit code; for the handler of a signal."""
        if self._wakes is not None:
            self._wakes.call_soon_threadsafe(self._go, code)

    def _go(self, code: int) -> None:
        self.leaving = True
        self.session.stop()
        self.exit(return_code=code)

    def close_session(self) -> None:
        """Stop and save what is being written, and free the model."""
        self.session.close()
        gc.unfreeze()

    def _handle_exception(self, error: Exception) -> None:
        self.failure = self.failure or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual's own prints a traceback with the values of all variables, the conversation among them.
        self.panic()

    def _wake(self) -> None:
        # Called on the engine's thread, perhaps before the screen is there or after it is gone. A screen that
        # has no place in the app yet takes messages on the app's own thread only; it asks by itself at first.
        if self.is_running and self._wakes is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._wakes.call_soon_threadsafe(self.chat.post_message, NewsArrived())

    def _warn(self, line: str) -> None:
        if self.is_running:
            self.call_later(self.notify, one_line(line), severity="warning", markup=False)
        else:
            self._warnings.append(one_line(line))
