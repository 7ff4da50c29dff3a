"""One line below the prompt: what runs, how fast, and how full the context is."""

from time import monotonic

from textual.content import Content
from textual.widgets import Static

from trchat.session.news import Speed
from trchat.text.one_line import one_line

INTERVAL_S = 1.0
NEARLY_FULL = 0.7
"""Share of the context in use from which on the meter stands out."""


class StatusLine(Static):
    """State on the left, numbers on the right; what does not fit is left out, the least important first."""

    def __init__(self) -> None:
        super().__init__(id="status", markup=False)
        self._state = ""
        self._speed = Speed()
        self._draft = ""
        self._ctx = 0
        self._model = ""
        self._think = ""
        self._drawn_at = 0.0

    def set_state(self, text: str) -> None:
        """What goes on right now."""
        if one_line(text) != self._state:
            self._state = one_line(text)
            self._draw()

    def set_model(self, name: str, draft: str, ctx: int, think: str = "") -> None:
        """What answers, how it drafts, the context's size in tokens, and how it thinks (empty: no choice)."""
        self._model, self._draft, self._ctx, self._think = one_line(name), draft, ctx, think
        self._draw()

    def set_speed(self, speed: Speed, at_once: bool = True) -> None:
        """How the answer goes; numbers that change more often than once a second cannot be read."""
        self._speed = speed
        now = monotonic()
        if at_once or now - self._drawn_at >= INTERVAL_S:
            self._drawn_at = now
            self._draw()

    def set_context(self, used: int) -> None:
        """So many tokens of the context are used; the speed is not known yet."""
        self._speed = Speed(context_used=used)
        self._draw()

    def on_resize(self) -> None:
        """Choose anew what fits."""
        self._draw()

    def _draw(self) -> None:
        width = self.size.width or 80
        left = self._state or self._model
        parts = self._numbers()
        while (
            parts
            and sum(len(text) + 3 for _rank, text in parts) + min(len(left), 24 if width >= 100 else 12) + 1
            > width
        ):
            parts.remove(max(parts))
        right = " · ".join(text for _rank, text in parts)
        room = max(width - len(right) - 1, 0)
        shown = left if len(left) <= room else left[: max(room - 1, 0)] + "…"
        line = Content(shown + " " * max(width - len(shown) - len(right), 1) + right)
        if self._ctx and self._speed.context_used >= NEARLY_FULL * self._ctx:
            meter = self._meter()
            start = line.plain.rfind(meter)
            if start >= 0:
                line = line.stylize("bold $text-warning", start, start + len(meter))
        self.update(line, layout=False)

    def _meter(self) -> str:
        return f"context {self._speed.context_used}/{self._ctx}"

    def _numbers(self) -> list[tuple[int, str]]:
        """The numbers from left to right, each with its rank: 0 stays longest."""
        speed = self._speed
        parts: list[tuple[int, str]] = []
        if speed.steps:
            parts.append((0, f"{speed.tokens_per_s:.1f} tokens/s"))
            parts.append((2, f"{speed.tokens_per_step:.2f} per step"))
        if text := ratio_text(speed):
            parts.append((1, text))
        if self._ctx:
            parts.append((3, self._meter()))
        if self._draft:
            parts.append((4, f"draft {self._draft}"))
        if self._think:
            parts.append((5, f"think {self._think}"))
        return parts


def ratio_text(speed: Speed) -> str:
    """The speed over plain decoding's; empty while there is nothing to compare with."""
    if speed.ratio is None:
        return ""
    # Where one-token steps were never seen, plain decoding can only be faster than assumed.
    return f"{'' if speed.ratio_exact else '≤'}{speed.ratio:.1f}x plain"
