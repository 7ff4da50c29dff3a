"""Gathers an answer's steps between two posts."""

import threading
from collections import Counter
from typing import TYPE_CHECKING

from trchat.chat.formats.interface import Said
from trchat.session.guessed_pieces import cut, draw, sources_of
from trchat.session.news import Drafted, Grown, Piece, Speed
from trchat.session.plain_speed import PlainSpeed

if TYPE_CHECKING:
    from trchat.chat.records import Answer, AnyEngine, Delta
    from trchat.decoding.step import Step


class Progress:
    """Sums of one answer, and what its front end has not heard yet."""

    def __init__(self, engine: "AnyEngine", message_id: int, lens: threading.Event) -> None:
        self.speed = Speed()
        self._engine = engine
        self._message_id = message_id
        self._plain = PlainSpeed()
        self._lens = lens
        self._said = Said()
        self._pieces: list[Piece] = []
        self._step_tokens: list[int] = []
        self._guesses: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()
        self._reached: Counter[int] = Counter()
        self._offered: Counter[int] = Counter()
        self._token: int | None = None
        self._last: Step | None = None
        """The last step for which something was guessed."""
        self._root: int | None = None

    def add(self, event: "Delta") -> None:
        """Take in one step."""
        step = event.step
        self._plain.add(step)
        whole = event.whole
        self._said += whole
        if whole.recast:
            self._pieces = []
        self._pieces.extend(cut(event, self._engine.standing.mode))
        self._step_tokens.append(len(step.tokens))
        if len(step.tree):
            self._count(step)
            self._last, self._root = step, self._token
        self._token = step.tokens[-1]

    def take(self, answer: "Answer", last: bool = False) -> Grown | None:
        """What is new since the last call; None when nothing is. The ``last`` one always has the tree."""
        if not self._step_tokens and not (last and self._last):
            return None
        sums = answer.statistics
        standing = self._engine.standing
        # Only the drafter that decides by step times keeps them up to date.
        plain_ms = standing.plain_ms if standing.mode == "auto" else None
        self.speed = Speed(
            sums.tokens,
            sums.steps,
            sums.seconds,
            sums.drafted,
            sums.accepted,
            answer.prompt_tokens + len(answer.token_ids),
            self._plain.ratio(plain_ms),
        )
        shown = last or self._lens.is_set()
        grown = Grown(
            self._message_id,
            self._said,
            tuple(self._pieces),
            tuple(self._step_tokens),
            self.speed,
            self._drawn() if shown else None,
            tuple((name, self._hits[name], tried) for name, tried in sorted(self._guesses.items())),
            tuple((self._reached[depth], tried) for depth, tried in sorted(self._offered.items())),
            standing.rows_learned if shown else 0,
            standing.came_free,
        )
        self._said, self._pieces, self._step_tokens = Said(), [], []
        return grown

    def _drawn(self) -> Drafted | None:
        if self._last is None:
            return None
        piece = self._engine.piece
        root = "" if self._root is None else piece(self._root).decode("utf-8", "replace")
        return draw(self._last, root, piece, self._engine.standing.mode)

    def _count(self, step: "Step") -> None:
        sources = sources_of(step.tree, self._engine.standing.mode)
        self._guesses.update(sources)
        self._hits.update(sources[node] for node in step.path)
        if self._lens.is_set():
            for depth in range(1, max(step.tree.depths, default=0) + 1):
                self._offered[depth] += 1
                self._reached[depth] += len(step.path) >= depth
