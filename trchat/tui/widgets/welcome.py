"""The first screen: what is loaded, recent conversations to go on with, and how to begin."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from trchat.storage.export import heading
from trchat.storage.records import Conversation
from trchat.text.one_line import one_line
from trchat.text.units import date_and_time

HINTS = "Enter sends · Ctrl+J adds a line · / lists commands · F1 for help"
MOST = 5
LONGEST_SYSTEM = 200
LEFT_FREE = 13
"""Lines of the screen that something else stands on."""


class Welcome(Static):
    """Shown while there are no messages."""

    def __init__(self) -> None:
        super().__init__(id="welcome", markup=False)
        self._model = ""
        self._system = ""
        self._recent: list[Conversation] = []
        self._place: int | None = None

    def show_model(self, model: str, system: str | None) -> None:
        """Say what answers, and by which system prompt."""
        self._model, self._system = one_line(model), one_line(system or "")
        self._draw()

    def show_recent(self, conversations: Sequence[Conversation]) -> None:
        """Offer these to go on with, the last one first."""
        self._recent, self._place = list(conversations), None
        self._draw()

    def on_resize(self) -> None:
        """As many as fit."""
        self._draw()

    def move(self, by: int) -> bool:
        """Move the highlight over the conversations, or off them; False where there are none."""
        shown = len(self._shown)
        if not self.display or not shown:
            return False
        places = [None, *range(shown)]
        self._place = places[(places.index(self._place) + by) % len(places)]
        self._draw()
        return True

    def picked(self, typed: str) -> int | None:
        """The ID of the conversation that is highlighted, where nothing is typed, or that has this number."""
        if not self.display:
            return None
        place = self._place if not typed else int(typed) - 1 if typed.isascii() and typed.isdigit() else None
        shown = self._shown
        return shown[place].id if place is not None and 0 <= place < len(shown) else None

    @property
    def _shown(self) -> list[Conversation]:
        room = self.app.size.height - LEFT_FREE if self.is_attached else MOST
        return self._recent[: max(min(MOST, room), 0)]

    def _draw(self) -> None:
        width = max(self.size.width, 40) if self.is_attached else 80
        parts = [Content.styled(self._model, "bold")]
        if self._system:
            shown = self._system[:LONGEST_SYSTEM] + ("…" if len(self._system) > LONGEST_SYSTEM else "")
            parts.append(Content.styled(f"System prompt: {shown}", "$text-secondary"))
        recent = self._shown
        if recent:
            parts.append(Content.styled("\nRecent conversations (number or ↑ ↓, then Enter)", "$text-muted"))
        for number, each in enumerate(recent):
            when = date_and_time(each.updated_at)
            title = one_line(heading(each))[: max(width - len(when) - 8, 8)]
            line = f" {number + 1}  {title:<{max(width - len(when) - 8, 8)}}  {when}"
            chosen = "$block-cursor-foreground on $block-cursor-background" if number == self._place else ""
            parts.append(Content.styled(line, chosen))
        parts.append(Content.styled(f"\n{HINTS}", "$text-muted"))
        self.update(Content("\n").join(parts))
