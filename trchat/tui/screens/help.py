"""All commands and keys on one page."""

from collections.abc import Iterable
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from trchat.session.commands import COMMANDS
from trchat.tui.widgets.keys_line import KeysLine

NARROW = 80
"""Columns below which what stands side by side would be cut in two."""

ARGUMENTS = 40
"""Columns for keys, or a command and its argument; beside them stands, in some lines, what they do."""

ELSEWHERE = (
    "In the prompt: ↑ ↓ recall earlier questions, Tab completes, @ names a file to attach, PageUp and "
    "PageDown scroll, End (in an empty prompt) or Ctrl+End goes to the end, Ctrl+_ undoes typing.\n"
    "On a message (Alt+↑ reaches it): C copies it, Y its last code block, 1 to 9 the one with that number; "
    "R regenerates, E edits, ← → show other branches, Enter shows attached files."
)


class HelpScreen(ModalScreen[None]):
    """Closed by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q", "dismiss", "Back")]

    def __init__(self, keys: Iterable[tuple[str, str, str]]) -> None:
        """``keys``: key, what it does, and the action's name in the configuration file."""
        super().__init__()
        self._keys = list(keys)

    def compose(self) -> ComposeResult:
        """Keys, then commands."""
        with Vertical(id="box"):
            yield Static("Help", id="title", markup=False)
            with VerticalScroll(id="page"):
                yield Static(id="help", markup=False)
            yield KeysLine()

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one("#page").focus()

    def on_resize(self) -> None:
        """Write it for this width, once it is known how much of that the page has."""
        self.call_after_refresh(self._write)

    def _write(self) -> None:
        page = self.query_one("#page").scrollable_content_region
        self.query_one("#help", Static).update(self._page(page.width, narrow=self.size.width < NARROW))

    def _page(self, width: int, narrow: bool) -> Content:
        parts = [Content.styled("Keys\n", "bold $accent")]
        parts += [_row(key, f"{does} ({name})", width, narrow) for key, does, name in self._keys]
        parts.append(
            Content.styled(
                "To rebind one, by its name in brackets: trchat config set keys.NAME KEY\n\n", "$text-muted"
            )
        )
        parts.append(Content.styled("Commands\n", "bold $accent"))
        parts += [_row(command.usage, command.help, width, narrow) for command in COMMANDS]
        parts.append(Content.styled(f"\n{ELSEWHERE}", "$text-muted"))
        return Content("").join(parts)


def _row(what: str, does: str, width: int, narrow: bool) -> Content:
    """What is pressed or typed, and what it does: side by side, or one below the other."""
    if narrow:
        return Content(f"{what}\n  {does}\n")
    told = f"\n{' ' * ARGUMENTS}".join(wrap(does, max(width - ARGUMENTS, 1), break_on_hyphens=False))
    return Content(f"{f'  {what}':<{ARGUMENTS}}{told}\n")
