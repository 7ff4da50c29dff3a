"""What the prompt's line may become, in a list above it; the chat below the list does not move."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from trchat.session.typed_command import Suggestion
from trchat.text.one_line import one_line

SHOWN = 8
HIGHLIGHT = "$block-cursor-foreground on $block-cursor-background"
LABEL = 30
"""Columns for what is suggested, where there are words about it."""


class Suggestions(Static):
    """Lies over the chat: ``offer`` opens and closes it, ``move`` chooses."""

    ALLOW_SELECT = False

    class Picked(Message):
        """One of the list was clicked."""

    def __init__(self) -> None:
        super().__init__(id="suggestions", markup=False)
        self._offered: list[Suggestion] = []
        self._place = 0
        self._first = 0
        self.moved = False
        """Whether the user has moved to the one that is chosen."""
        self.display = False

    @property
    def chosen(self) -> Suggestion | None:
        """The highlighted one; None while the list is closed."""
        return self._offered[self._place] if self._offered else None

    @property
    def offered(self) -> Sequence[Suggestion]:
        """All in the list."""
        return self._offered

    def offer(self, suggestions: Sequence[Suggestion]) -> None:
        """Show these; none closes the list."""
        self._offered = list(suggestions)
        self._place = self._first = 0
        self.moved = False
        self.display = bool(suggestions)
        self._draw()

    def move(self, by: int) -> bool:
        """Move the highlight, around the ends. False while the list is closed."""
        if not self._offered:
            return False
        self._place = (self._place + by) % len(self._offered)
        self._first = min(max(self._first, self._place - SHOWN + 1), self._place)
        self.moved = True
        self._draw()
        return True

    def on_resize(self) -> None:
        """Fit the width."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Choose what is clicked."""
        place = self._first + event.y
        if event.y < SHOWN and place < len(self._offered):
            self._place, self.moved = place, True
            self.post_message(self.Picked())

    def _draw(self) -> None:
        shown = self._offered[self._first : self._first + SHOWN]
        height = len(shown)
        rows = height + (len(self._offered) > SHOWN)
        self.styles.height = max(rows, 1)
        self.styles.offset = (0, -rows)
        width = max((self.app.size.width if self.is_attached else 80) - 4, 20)
        helped = any(each.help for each in shown)
        label = min(max((len(each.label) for each in shown), default=0), LABEL) if helped else width
        lines = []
        for place, each in enumerate(shown, self._first):
            name = one_line(each.label)[: max(label, 8) if helped else width]
            help_text = one_line(each.help)[: max(width - label - 2, 0)] if helped else ""
            line = Content(f"{name:<{label}}" if helped else name)
            if help_text:
                line += Content.styled(f"  {help_text}", "" if place == self._place else "$text-muted")
            if place == self._place:
                line = Content.styled(line.plain.ljust(width), HIGHLIGHT)
            lines.append(line)
        below = len(self._offered) - self._first - height
        if len(self._offered) > SHOWN:
            lines.append(Content.styled(f"↓ {below} more" if below else "", "$text-muted"))
        self.update(Content("\n").join(lines))
