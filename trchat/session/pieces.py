"""Cuts an answer's text into what was guessed ahead and what the model wrote itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from trchat.session.news import Drafted, Node, Piece

if TYPE_CHECKING:
    from trchat.decoding.loop import Step

SHOWN_AT_MOST = 100
"""Nodes of one tree; the drawing ends there."""


class PieceCutter:
    """Follows one answer step by step."""

    def __init__(self, piece: Callable[[int], bytes]) -> None:
        from trchat.llama.text_stream import TextStream

        self._text = TextStream(piece)

    def cut(self, step: "Step") -> list[Piece]:
        """The step's text; neighbours of one kind are one piece."""
        sources = sources_of(step)
        found: list[Piece] = []
        for index, token in enumerate(step.tokens):
            drafted = index < len(step.path)
            source = sources[step.path[index]] if drafted and sources else ""
            text = self._text.push(token)
            if not text:
                continue
            if found and (found[-1].drafted, found[-1].source) == (drafted, source):
                text = found.pop().text + text
            found.append(Piece(text, drafted, source))
        return found


def sources_of(step: "Step") -> list[str]:
    """Who guessed each node of the step's tree; empty when the drafter does not say."""
    sources = getattr(step.tree, "sources", None)
    return [] if sources is None else [str(source) for source in sources]


def draw(step: "Step", root: str, piece: Callable[[int], bytes]) -> Drafted:
    """The step's tree with its tokens as text."""

    def text(token: int) -> str:
        return piece(token).decode("utf-8", "replace")

    tree, path = step.tree, set(step.path)
    sources = sources_of(step)
    chances = getattr(tree, "probabilities", None)
    nodes = tuple(
        Node(
            text(token),
            parent,
            node in path,
            None if chances is None else float(chances[node]),
            sources[node] if sources else "",
        )
        for node, (token, parent) in enumerate(
            zip(tree.tokens[:SHOWN_AT_MOST].tolist(), tree.parents[:SHOWN_AT_MOST].tolist(), strict=True)
        )
    )
    own = step.tokens[len(step.path) :]
    return Drafted(root, nodes, text(own[0]) if own else "")
