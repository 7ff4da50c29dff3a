"""Choosing a model: those there are, and downloading another one."""

import threading
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import ProgressBar, Static

from trchat.catalog.download import download
from trchat.catalog.listing import Model
from trchat.errors import TrchatError
from trchat.session.models import ListedModel, models_to_choose
from trchat.text.one_line import one_line
from trchat.text.units import byte_size
from trchat.tui.screens.ask_line import AskLine
from trchat.tui.screens.pick import Choice, PickScreen, narrowed
from trchat.tui.themes import DARK
from trchat.tui.widgets.keys_line import KeysLine

DOWNLOAD = "<download>"
"""The ID of the row that downloads; no path is spelled so."""
REFRESH_S = 0.25


async def choose_model(app: App[Any], in_use: Model | None = None) -> str | None:
    """Let the user choose a model, or download one; its path, or None. To be called in a worker."""
    models, problems = await app.run_worker(lambda: models_to_choose(in_use), thread=True).wait()
    for problem in problems[:3]:
        app.notify(one_line(problem), severity="warning", markup=False)
    while True:
        chosen = await app.push_screen_wait(_list_of(models))
        if chosen != DOWNLOAD:
            return chosen
        about = "OWNER/NAME or OWNER/NAME:Q4_K_M on Hugging Face, or a link to a model's page there"
        spec = await app.push_screen_wait(AskLine("Download a model", about=about))
        if spec and spec.strip():
            path = await app.push_screen_wait(DownloadScreen(spec))
            if path:
                return path


def _list_of(models: Sequence[ListedModel]) -> PickScreen:
    """The list; the row that downloads is found by whatever is typed."""
    choices = [
        Choice(str(each.model.path), f"{'●' if each.in_use else ' '} {each.model.name}", each.detail)
        for each in models
    ]
    fixed = narrowed(choices)
    more = Choice(DOWNLOAD, "↓ Download a model…", "from Hugging Face")
    selected = next((str(each.model.path) for each in models if each.in_use), None)
    return PickScreen("Models", lambda query: [*fixed(query), more], selected=selected)


class DownloadScreen(ModalScreen[str | None]):
    """Downloads a model; hands back its path, or None where it was given up or failed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    def __init__(self, spec: str) -> None:
        super().__init__()
        self._spec = spec
        self._canceled = threading.Event()
        self._done, self._total = 0, 0
        self._over = False

    def compose(self) -> ComposeResult:
        """What is downloaded, how far it is, and how to end it."""
        with Vertical(id="box", classes="small"):
            yield Static("Download a model", id="title", markup=False)
            yield Static(f"looking up {one_line(self._spec)}", id="about", markup=False)
            yield ProgressBar(total=None, show_eta=False, id="downloaded")
            yield KeysLine()

    def on_mount(self) -> None:
        """Begin."""
        self.set_interval(REFRESH_S, self._show)
        self._download()

    def action_leave(self) -> None:
        """Give it up; what has arrived is kept for another time."""
        self._canceled.set()
        self.dismiss(None)

    @work(thread=True)
    def _download(self) -> None:
        try:
            path = download(self._spec, self._say, self._progress)
        except TrchatError as error:
            self._say(str(error))
            self._over = True
            return
        if not self._canceled.is_set():
            self.app.call_from_thread(self.dismiss, str(path))

    def _say(self, line: str) -> None:
        if not self._canceled.is_set():
            self.app.call_from_thread(self.query_one("#about", Static).update, one_line(line))

    def _progress(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        if self._canceled.is_set():
            raise TrchatError("cancelled")

    def _show(self) -> None:
        bar = self.query_one(ProgressBar)
        bar.display = not self._over
        if self._total:
            bar.update(total=self._total, progress=self._done)
            title = f"Downloading: {byte_size(self._done)} of {byte_size(self._total)}"
            self.query_one("#title", Static).update(title)


class ChooseModel(App[str | None]):
    """Asks for a model before the chat can begin; returns its path, or None."""

    TITLE = "trchat"
    CSS_PATH = "../app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-normal"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False

    def on_mount(self) -> None:
        """Ask."""
        self.register_theme(DARK)
        self.theme = DARK.name
        self._ask()

    @work
    async def _ask(self) -> None:
        self.exit(await choose_model(self))
