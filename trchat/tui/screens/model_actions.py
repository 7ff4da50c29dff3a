"""Models, settings, personas, drafts, colours: what answers, and how."""

from textual import work
from textual.screen import ModalScreen
from textual.widgets import ProgressBar

from trchat.catalog.sources import find_files
from trchat.config_file import FILE_NAME, change_config, load_config
from trchat.config_rules import SETTINGS
from trchat.errors import ModelError, TrchatError, UsageError
from trchat.session.typed_setting import may_be, split_keep, typed_here
from trchat.startup import warnings
from trchat.tui.screens.ask_line import AskLine
from trchat.tui.screens.base import ChatBase
from trchat.tui.screens.models import DownloadScreen, choose_model
from trchat.tui.screens.pick import Choice, PickScreen, narrowed
from trchat.tui.screens.settings import SettingsScreen
from trchat.tui.themes import DEFAULT as DEFAULT_THEME


class ModelActions(ChatBase):
    """Actions on the model and the settings."""

    _theme_changed = False

    def loading_progress(self, fraction: float) -> None:
        """Show how much of the model is there."""
        self.bar.display = True
        self.query_one(ProgressBar).update(progress=fraction)
        # After the weights come step times, the store of candidates and the template's process.
        self.status.set_state(f"loading {fraction:.0%}" if fraction < 1 else "preparing")

    def change(self, **values: str | int | float | None) -> bool:
        """Change settings, and show what came of it. False when they were refused."""
        try:
            if self.session.change(**values):
                self.warn()
                self.loading_progress(0.0)
                self.status.set_context(self.session.context_used)  # the speed was another model's
        except ModelError as error:
            self.say(f"{error}\nStill using {self.session.prepared.model.name}.")
            return False
        except TrchatError as error:
            self.tell(str(error), "warning")
            return False
        self.show_settings()
        return True

    def warn(self) -> None:
        """Say what should be known before the model is loaded."""
        for line in warnings(self.session.prepared):
            self.tell(typed_here(line), "warning")

    async def pick(self, screen: ModalScreen[str | None]) -> str | None:
        """Open a screen above this one and wait for what is chosen there."""
        return await self.app.push_screen(screen, wait_for_dismiss=True)

    @work(group="models", exclusive=True)
    async def model(self, name: str = "") -> None:
        """Choose a model by name, or from the list."""
        try:
            self.session.must_be_free()
            name, scope = split_keep(name)
        except TrchatError as error:
            self.tell(str(error), "warning")
            return
        if not name:
            name = await choose_model(self.app, self.session.prepared.model) or ""
        elif name.startswith("get "):
            name = await self.pick(DownloadScreen(name.removeprefix("get "))) or ""
        if name and name != str(self.session.prepared.model.path) and not self.change(model=name):
            return
        if scope:
            self.keep("model", scope)

    @work(group="settings", exclusive=True)
    async def settings(self) -> None:
        """Show all settings; the chosen one is asked for, until the user leaves."""
        name: str | None = None
        while True:
            screen = SettingsScreen(self._settings_now, self.keep, name)
            name = await self.pick(screen)
            if name is None:
                return
            settings = self.session.settings
            value = self.app.theme if name == "theme" else getattr(settings, name)
            about = f"{may_be(name)}; leave it empty for the default"
            shown = "" if value is None else str(value)
            while (typed := await self.pick(AskLine(name, shown, about))) is not None:
                if await self.run_command("set", f"{name} {typed}"):
                    break
                shown = typed  # to be corrected

    def _settings_now(self) -> list[Choice]:
        """The settings with their values and where each comes from."""
        settings = self.session.settings
        now = {name: _shown(getattr(settings, name)) for name in SETTINGS}
        now |= {"model": self.session.prepared.model.name, "ctx": str(self.session.n_ctx)}
        now["theme"] = self.app.theme
        origins = {**settings.origins} | dict.fromkeys(self.session.changed, "changed here")
        if self._theme_changed:
            origins["theme"] = FILE_NAME
        return [Choice(name, f"{name:<15}{now[name][:40]:<14}", origins.get(name, "")) for name in SETTINGS]

    def keep(self, field: str, scope: str = "all") -> None:
        """Make a setting's present value the default, for ``all`` models or this ``model``."""
        try:
            self.tell(self.session.keep(field, scope))
        except TrchatError as error:
            self.tell(str(error), "warning")

    async def action_think(self) -> None:
        """Have the model think in the next way there is: not at all, more, as it likes."""
        try:
            mode = self.session.next_thinking()
        except TrchatError as error:
            self.tell(str(error), "warning")
        else:
            await self.run_command("think", mode)

    def words(self, command: str) -> list[tuple[str, str]]:
        """The arguments that a command may have here, with a word about each."""
        match command:
            case "persona":
                return [(name, str(placed.value)) for name, placed in load_config().personas.items()]
            case "theme":
                return [(name, "") for name in sorted(self.app.available_themes)]
            case "model":
                return [(file.name, file.source) for file in find_files()]
        return []

    @work(group="personas", exclusive=True)
    async def personas(self) -> None:
        """Choose a saved system prompt."""
        try:
            personas = {each: str(placed.value) for each, placed in load_config().personas.items()}
        except TrchatError as error:
            self.tell(str(error), "warning")
            return
        choices = [Choice(each, each, text) for each, text in personas.items()]
        empty = "None yet: set one with /system TEXT, then /persona-save NAME"
        name = await self.pick(PickScreen("Personas", narrowed(choices), empty=empty))
        if name is not None:
            await self.run_command("persona", name)

    def theme(self, name: str) -> None:
        """Use a theme, at the next start too; or have one chosen. Raises UsageError for an unknown one."""
        if not name:
            self._choose_theme()
            return
        name = DEFAULT_THEME if name == "default" else name
        if name not in self.app.available_themes:
            raise UsageError(f"no theme is called {name!r}; /theme lists them")
        self.app.theme = name
        self._theme_changed = True
        change_config(("theme",), name)

    @work(group="themes", exclusive=True)
    async def _choose_theme(self) -> None:
        choices = [Choice(each, each) for each in sorted(self.app.available_themes)]
        name = await self.pick(PickScreen("Themes", narrowed(choices)))
        if name is not None:
            await self.run_command("theme", name)


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
