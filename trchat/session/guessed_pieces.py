"""Cuts an answer's text into what was guessed ahead and what the model wrote itself."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trchat.session.news import Drafted, Node, Piece

if TYPE_CHECKING:
    from trchat.chat.records import Delta
    from trchat.decoding.step import Step
    from trchat.recycling.outline import TreeOutline
    from trchat.recycling.tree import DraftTree

SHOWN_AT_MOST = 100
"""Nodes of one tree; the drawing ends there."""

ONLY_SOURCE = {"recycling": "learned", "lookup": "repeated text"}
"""What the modes that draft from one source alone draft from."""


SOURCE_NAMES = {
    "1-token rows": "after 1 token",
    "2-token rows": "after 2 tokens",
    "3-token rows": "after 3 tokens",
    "gap rows": "after a gap",
    "suffix": "repeated text",
    "recent": "near misses",
    "filler": "long shots",
}
"""What the drafter's sources are called where people see them: what each went by."""


def cut(delta: "Delta", mode: str) -> list[Piece]:
    """The answer's text that a step brought; neighbours of one kind are one piece.

    ``mode`` says how it was drafted.
    """
    step = delta.step
    sources = sources_of(step.tree, mode) if step.path else []
    found: list[Piece] = []
    for index, said in enumerate(delta.said):
        if said.recast:
            found = []
        drafted = index < len(step.path)
        source = sources[step.path[index]] if drafted else ""
        text = said.text
        if not text:
            continue
        if found and (found[-1].drafted, found[-1].source) == (drafted, source):
            text = found.pop().text + text
        found.append(Piece(text, drafted, source))
    return found


def sources_of(tree: "DraftTree | TreeOutline", mode: str) -> "Sequence[str]":
    """Who guessed each node of a tree. A drafter with one source only does not say."""
    found = tree.sources
    if found is None:
        return [ONLY_SOURCE.get(mode, mode)] * len(tree)
    return [SOURCE_NAMES.get(source, source) for source in found]


def draw(step: "Step", root: str, piece: Callable[[int], bytes], mode: str) -> Drafted:
    """The step's tree with its tokens as text."""

    def text(token: int) -> str:
        return piece(token).decode("utf-8", "replace")

    tree, path = step.tree, set(step.path)
    sources = sources_of(tree, mode)
    chances = tree.probabilities
    nodes = tuple(
        Node(
            text(token),
            parent,
            node in path,
            None if chances is None else float(chances[node]),
            sources[node],
        )
        for node, (token, parent) in enumerate(
            zip(map(int, tree.tokens[:SHOWN_AT_MOST]), map(int, tree.parents[:SHOWN_AT_MOST]), strict=True)
        )
    )
    own = step.tokens[len(step.path) :]
    return Drafted(root, nodes, text(own[0]) if own else "")
