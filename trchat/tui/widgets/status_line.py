"""One line below the prompt: what goes on, what answers, how full the context is, how fast it writes."""

from time import monotonic

from textual.content import Content
from textual.widgets import Static

from trchat.session.news import Speed
from trchat.text.one_line import one_line

INTERVAL_S = 1.0
NEARLY_FULL = 0.7
"""Share of the context in use from which on the meter stands out."""
SHORTEST_NAME = 12
"""Characters of the model's name that stay, however narrow it is."""


class StatusLine(Static):
    """State and model on the left, numbers on the right; where it is narrow, the least important goes."""

    def __init__(self) -> None:
        super().__init__(id="status", markup=False)
        self._state = ""
        self._speed = Speed()
        self._ctx = 0
        self._model = ""
        self._persona = ""
        self._thinking = ""
        self._drawn_at = 0.0

    @property
    def state(self) -> str:
        """What goes on right now; empty while nothing does."""
        return self._state

    def set_state(self, text: str) -> None:
        """What goes on right now."""
        if one_line(text) != self._state:
            self._state = one_line(text)
            self._draw()

    def set_model(self, name: str, ctx: int, persona: str = "", thinking: str = "") -> None:
        """What answers and as whom, whether it thinks first, and the context's size in tokens."""
        self._model, self._ctx = one_line(name), ctx
        self._persona, self._thinking = one_line(persona), one_line(thinking)
        self._draw()

    def set_speed(self, speed: Speed, at_once: bool = True) -> None:
        """How the answer goes; numbers that change more often than once a second cannot be read."""
        self._speed = speed
        now = monotonic()
        if at_once or now - self._drawn_at >= INTERVAL_S:
            self._drawn_at = now
            self._draw()

    def set_context(self, used: int) -> None:
        """So many tokens of the context are used; there is no speed, or it was another answer's."""
        self._speed = Speed(context_used=used)
        self._draw()

    def forget_speed(self) -> None:
        """Another answer begins."""
        self.set_context(self._speed.context_used)

    def on_resize(self) -> None:
        """Choose again what fits."""
        self._draw()

    def _draw(self) -> None:
        width = self.size.width or 80
        # By rank: 0 stays longest.
        left = [(1, self._state), (2, self._model), (5, self._persona), (4, self._thinking)]
        right = [(3, self._meter()), (0, self._pace())]
        parts = sorted([part for part in (*left, *right) if part[1]], reverse=True)
        while parts and _length(left, SHORTEST_NAME) + _length(right) + 2 > width:
            least = parts.pop(0)
            left = [part for part in left if part != least]
            right = [part for part in right if part != least]
        end = _joined(right)
        room = max(width - len(end) - (2 if end else 0), 0)
        name = max(room - _length(left) + len(self._model), SHORTEST_NAME)
        start = _joined([(rank, _cut(text, name) if rank == 2 else text) for rank, text in left])
        start = _cut(start, room)
        line = Content(start + " " * max(width - len(start) - len(end), 0) + end)
        meter = self._meter()
        if self._ctx and self._speed.context_used >= NEARLY_FULL * self._ctx and meter in end:
            at = len(line.plain) - len(end) + end.find(meter)
            line = line.stylize("bold $text-warning", at, at + len(meter))
        self.update(line, layout=False)

    def _meter(self) -> str:
        return f"context {self._speed.context_used:,} of {self._ctx:,}" if self._ctx else ""

    def _pace(self) -> str:
        return f"{self._speed.tokens_per_s:.1f} tokens/s" if self._speed.steps else ""


def _joined(parts: list[tuple[int, str]]) -> str:
    return " · ".join(text for _rank, text in parts if text)


def _length(parts: list[tuple[int, str]], longest_name: int | None = None) -> int:
    return len(_joined([(rank, text[:longest_name] if rank == 2 else text) for rank, text in parts]))


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def ratio_text(speed: Speed) -> str:
    """The speed over plain decoding's; empty while that is not known."""
    return "" if speed.ratio is None else f"{speed.ratio:.1f}x plain"
