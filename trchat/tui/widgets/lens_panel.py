"""The draft lens' side: the last draft tree, tokens per step, hit rates, and what it all has saved."""

from collections import deque
from time import monotonic

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from trchat.session.news import Drafted, Grown
from trchat.text.one_line import one_line
from trchat.tui.draft_tree_lines import tree_lines
from trchat.tui.source_colours import SourceColours

TREE_LINES = 18
BELOW_TREE = 20
"""Lines of the other parts, which a low screen should still show."""
STEPS_SHOWN = 500
INTERVAL_S = 0.5
"""A tree that changes more often cannot be read, and drawing it takes time from the model."""
BLOCKS = "▁▂▃▄▅▆▇█"
DEPTHS = 4


class LensPanel(VerticalScroll, can_focus=False):
    """Everything it shows comes with ``Grown``; it asks for nothing."""

    def __init__(self) -> None:
        super().__init__(id="lens")
        self._steps: deque[int] = deque(maxlen=STEPS_SHOWN)
        self._rows = 0
        self._came_free = 0
        self._grown: Grown | None = None
        self._shown: Grown | None = None
        self._colours: SourceColours | None = None
        self._drawn_at = 0.0
        self._later: Timer | None = None
        self._heights: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        """Four short sections."""
        for name in ("tree", "steps", "hits", "sums"):
            yield Static("", id=f"lens-{name}", classes="lens-part", markup=False)

    def on_mount(self) -> None:
        """Nothing is known yet."""
        self._draw()

    def on_resize(self) -> None:
        """Fit the width."""
        self._heights.clear()
        self._draw()

    def begin(self) -> None:
        """Another answer begins."""
        self._steps.clear()
        self._grown = None
        self._heights.clear()
        self._draw()

    @property
    def last(self) -> Grown | None:
        """What is on the screen of the answer."""
        return self._shown

    def set_colours(self, colours: SourceColours | None) -> None:
        """Draw each source in its colour, or all alike."""
        self._colours = colours
        self._draw()

    def show_learned(self, rows: int, came_free: int) -> None:
        """So many rows of candidates are known of the model, and so many tokens came free with it."""
        self._rows, self._came_free = rows, came_free
        self._draw()

    def grow(self, grown: Grown) -> None:
        """Take in what is new."""
        self._steps.extend(grown.step_tokens)
        self._rows = grown.rows_learned or self._rows
        self._came_free = grown.came_free
        self._grown = grown
        if not self.display:
            return
        wait = self._drawn_at + INTERVAL_S - monotonic()
        if wait <= 0:
            self._draw()
        elif self._later is None:
            self._later = self.set_timer(wait, self._draw)

    def end(self) -> None:
        """The answer is complete: draw the last of it now."""
        self._heights.clear()
        self._draw()

    def _draw(self) -> None:
        if self._later is not None:
            self._later.stop()
            self._later = None
        if not self.is_mounted or not self.display:
            return
        self._drawn_at = monotonic()
        self._shown = self._grown
        width = max(self.size.width - 4, 16)
        room = min(max(self.size.height - BELOW_TREE, 4), TREE_LINES)
        self._part(
            "tree", _title("Last draft") + _tree(self._grown.drafted if self._grown else None, width, room)
        )
        self._part("steps", _title("Tokens per step") + _steps(list(self._steps), width))
        self._part("hits", _title("Guesses") + _hits(self._grown, width, self._colours))
        rows = f"{self._rows:,} predictions learned for this model"
        saved = f"{self._came_free:,} tokens saved in total"
        self._part("sums", _title("Learned") + Content(f"{rows}\n{saved}"))

    def _part(self, name: str, content: Content) -> None:
        """Draw one section. Within an answer it only grows: what is below does not jump with every draft."""
        lines = content.plain.count("\n") + 1
        height = self._heights.get(name, 0)
        if lines < height:
            content += Content("\n" * (height - lines))
        self._heights[name] = max(lines, height)
        self.query_one(f"#lens-{name}", Static).update(content, layout=lines > height)


def _title(text: str) -> Content:
    return Content.styled(f"{text}\n", "bold $accent")


def _tree(drafted: Drafted | None, width: int, room: int) -> Content:
    if drafted is None:
        return Content.styled("appears while an answer is written", "$text-muted")
    if not drafted.nodes:
        return Content(_token(drafted.root)) + Content.styled("\nno guess for this step", "$text-muted")
    parts = [Content(_token(drafted.root))]
    for line in tree_lines(drafted.nodes, room):
        parts.append(Content.styled("\n" + line.branch, "$text-muted"))
        node = line.node
        if node is None:
            parts.append(Content.styled(f"… {line.left_out} more", "$text-muted"))
            continue
        chance = "" if node.probability is None else f" {node.probability:.0%}"
        fitting = max(width - len(line.branch) - len(chance) - 2, 4)
        text = _token(node.text)[:fitting]
        parts.append(Content.styled(text, "bold underline $success" if node.accepted else "$text-muted"))
        parts.append(
            Content.styled(chance + (" ✓" if node.accepted else ""), "" if node.accepted else "$text-muted")
        )
    if drafted.bonus:
        parts.append(
            Content.styled("\n+ ", "$text-muted")
            + Content(_token(drafted.bonus))
            + Content.styled(" by the model", "$text-muted")
        )
    return Content("").join(parts)


def _steps(steps: list[int], width: int) -> Content:
    if not steps:
        return Content.styled("–", "$text-muted")
    shown = steps[-width:]
    top = max(8, *shown)
    line = "".join(BLOCKS[min(round((value - 1) * 7 / (top - 1)), 7)] for value in shown)
    mean = sum(steps) / len(steps)
    return Content.styled(line, "$success") + Content(f"\nmean {mean:.2f}, best {max(steps)}")


def _hits(grown: Grown | None, width: int, colours: SourceColours | None) -> Content:
    if grown is None or not grown.speed.drafted:
        return Content.styled("–", "$text-muted")
    speed = grown.speed
    share = speed.accepted / speed.drafted
    parts = [Content(f"{speed.accepted:,} of {speed.drafted:,} ({share:.0%}) accepted")]
    for name, hits, tried in grown.by_source:
        parts.append(_bar(one_line(name), hits, tried, width, colours.name(name) if colours else "success"))
    if grown.by_source and grown.by_depth:
        parts.append(Content("\n"))
    for depth, (hits, tried) in enumerate(grown.by_depth[:DEPTHS]):
        parts.append(_bar(f"guess {depth + 1} ahead", hits, tried, width, "success"))
    return Content("").join(parts)


def _bar(name: str, hits: int, tried: int, width: int, colour: str) -> Content:
    """One line: a name, a bar and the share of guesses that hit."""
    share = hits / tried if tried else 0.0
    room = max(width - 23, 4)
    filled = round(share * room)
    return (
        Content(f"\n{name[:16]:<16} ")
        + Content.styled("━" * filled, f"${colour}")
        + Content.styled("━" * (room - filled), "$foreground 48%")
        + Content(f" {share:4.0%}")
    )


def _token(text: str) -> str:
    """A token so that spaces and line breaks in it can be seen."""
    return one_line(text.replace("\n", "↵")).replace(" ", "·") or "‹end›"
