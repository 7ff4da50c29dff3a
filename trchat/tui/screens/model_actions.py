"""Models, settings, personas, drafts, colours: what answers, and how."""

from textual import work
from textual.screen import ModalScreen
from textual.widgets import ProgressBar

from trchat.catalog.listing import list_models
from trchat.config_file import change_config, load_config
from trchat.config_rules import SETTINGS
from trchat.errors import ModelError, TrchatError
from trchat.session.typed_setting import may_be, parse_assignment, parse_setting, typed_here
from trchat.startup import warnings
from trchat.text.units import byte_size
from trchat.tui.screens.ask_line import AskLine
from trchat.tui.screens.base import ChatBase
from trchat.tui.screens.pick import Choice, PickScreen, narrowed


class ModelActions(ChatBase):
    """Actions on the model and the settings."""

    _theme_changed = False

    def loading_progress(self, fraction: float) -> None:
        """Show how much of the model is there."""
        self.bar.display = True
        self.query_one(ProgressBar).update(progress=fraction)
        name = self.session.prepared.model.name
        # After the weights come step times, the store of candidates and the template's process.
        self.status.set_state(f"loading {name} {fraction:.0%}" if fraction < 1 else f"preparing {name}")

    def change(self, **values: str | int | float | None) -> bool:
        """Change settings, and show what came of it. False when they were refused."""
        try:
            if self.session.change(**values):
                self.warn()
                self.loading_progress(0.0)
                self.status.set_context(self.session.context_used)  # the speed was another model's
        except ModelError as error:
            self.say(f"{error}\n{self.session.prepared.model.name} goes on answering.")
            return False
        except TrchatError as error:
            self.tell(str(error), "warning")
            return False
        self._show_settings()
        return True

    def warn(self) -> None:
        """Say what should be known before the model is loaded."""
        for line in warnings(self.session.prepared):
            self.tell(typed_here(line), "warning")

    async def pick(self, screen: ModalScreen[str | None]) -> str | None:
        """Open a screen above this one and wait for what is chosen there."""
        return await self.app.push_screen(screen, wait_for_dismiss=True)

    def _show_settings(self) -> None:
        prepared = self.session.prepared
        self.transcript.model = prepared.model.name
        think = prepared.settings.think if self.session.thinking.kinds else ""
        self.status.set_model(prepared.model.name, prepared.settings.draft, self.session.n_ctx, think)

    @work(group="models", exclusive=True)
    async def action_model(self, name: str = "") -> None:
        """Choose a model by name, or from the list."""
        if not self.attempt(self.session.must_be_free):
            return
        if not name:
            models, problems = await self.run_worker(list_models, thread=True).wait()
            for problem in problems[:3]:
                self.tell(problem, "warning")
            choices = [
                Choice(
                    str(model.path),
                    model.name,
                    f"{model.card.quantisation} · {byte_size(model.card.size)} · {model.source}",
                )
                for model in models
            ]
            name = await self.pick(PickScreen("Models", narrowed(choices))) or ""
        if name:
            self.change(model=name)

    @work(group="settings", exclusive=True)
    async def action_settings(self) -> None:
        """Show all settings; the chosen one is asked for, until the user leaves."""
        while True:
            settings = self.session.settings
            now = {name: _shown(getattr(settings, name)) for name in SETTINGS}
            now |= {"model": self.session.prepared.model.name, "ctx": str(self.session.n_ctx)}
            now["theme"] = self.app.theme
            changed = {*self.session.changed} | ({"theme"} if self._theme_changed else set())
            origins = {**settings.origins} | dict.fromkeys(changed, "changed here")
            choices = [
                Choice(name, f"{name:<15}{now[name][:40]:<14}", origins.get(name, "")) for name in SETTINGS
            ]
            name = await self.pick(PickScreen("Settings", narrowed(choices)))
            if name is None:
                return
            value = self.app.theme if name == "theme" else getattr(settings, name)
            about = f"{may_be(name)}; nothing returns to the configured value"
            shown = "" if value is None else str(value)
            while (typed := await self.pick(AskLine(name, shown, about))) is not None:
                if self.set_setting(f"{name} {typed}"):
                    break
                shown = typed  # to be corrected

    def set_setting(self, argument: str) -> bool:
        """Change one setting, as ``name value`` or ``name=value``. False when it was refused."""
        try:
            field, value = parse_assignment(argument)
        except TrchatError as error:
            self.tell(str(error), "warning")
            return False
        if field == "theme":
            return self.choose_theme(str(value or "textual-dark"))
        if changed := self.change(**{field: value}):
            self.tell(f"{field} is {_shown(getattr(self.session.settings, field))}")
        return changed

    def action_think(self) -> None:
        """Have the model think in the next way there is: not at all, more, as it likes."""
        self.attempt(lambda: self.set_thinking(self.session.next_thinking()))

    def set_thinking(self, mode: str) -> None:
        """Have the model think before it answers, or not; an empty mode only tells what is in force."""
        if not mode:
            steps = ", ".join(self.session.thinking.steps)
            self.tell(f"{self.session.about_thinking()}; this model has: {steps}")
        elif self.change(think=parse_setting("think", mode.lower())[1]):
            self.tell(self.session.about_thinking())

    def set_system(self, text: str) -> None:
        """Set the system prompt from the next answer on; an empty text takes it away."""
        if self.change(system=text):
            self.tell("the system prompt is set" if text else "there is no system prompt now")

    @work(group="personas", exclusive=True)
    async def action_personas(self, name: str = "") -> None:
        """Use a saved system prompt."""
        try:
            personas = {each: str(placed.value) for each, placed in load_config().personas.items()}
        except TrchatError as error:
            self.tell(str(error), "warning")
            return
        if not name:
            choices = [Choice(each, each, text) for each, text in personas.items()]
            empty = "none yet: /system TEXT, then /persona-save NAME"
            picked = PickScreen("Personas", narrowed(choices), empty=empty)
            name = await self.pick(picked) or ""
        if name in personas:
            self.set_system(personas[name])
        elif name:
            self.tell(f"there is no persona {name!r}; known are {', '.join(personas) or 'none'}", "warning")

    def save_persona(self, name: str) -> None:
        """Keep the system prompt under a name."""
        system = self.session.system
        if not system:
            self.tell("there is no system prompt to save: /system TEXT sets one", "warning")
        elif self.attempt(lambda: change_config(("personas", name), system)):
            self.tell(f"saved as persona {name}")

    @work(group="themes", exclusive=True)
    async def action_theme(self, name: str = "") -> None:
        """Choose the colours."""
        if not name:
            choices = [Choice(each, each) for each in sorted(self.app.available_themes)]
            name = await self.pick(PickScreen("Themes", narrowed(choices))) or ""
        if name:
            self.choose_theme(name)

    def choose_theme(self, name: str) -> bool:
        """Use a theme from now on, at the next start too. False when there is no such theme."""
        if name not in self.app.available_themes:
            self.tell(f"there is no theme {name!r}; /theme shows them", "warning")
            return False
        self.app.theme = name
        self._theme_changed = True
        self.attempt(lambda: change_config(("theme",), name))
        return True


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
