"""A draft tree as lines: the accepted path in full, what was tried beside it as far as there is room."""

from collections.abc import Sequence
from dataclasses import dataclass

from trchat.session.news import Node

ROOT = -1
BESIDE = 2
"""Rejected nodes shown below each parent, before the rest is counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the branch drawn in front, and a node, or a count of nodes left out."""

    branch: str
    node: Node | None
    left_out: int = 0


def tree_lines(nodes: Sequence[Node], room: int) -> list[Line]:
    """Draw the tree in at most ``room`` lines; nodes that are not shown are counted."""
    children: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        children.setdefault(node.parent, []).append(index)
    kept = _kept(nodes, children, room)
    lines: list[Line] = []
    _draw(ROOT, "", nodes, children, kept, lines)
    return lines[:room]


def _kept(nodes: Sequence[Node], children: dict[int, list[int]], room: int) -> set[int]:
    """The accepted path, then what lies beside it, then the rest in its order, while there is room."""
    on_path = [index for index, node in enumerate(nodes) if node.accepted]
    beside = [
        index
        for parent in (ROOT, *on_path)
        for index in [each for each in children.get(parent, []) if not nodes[each].accepted][:BESIDE]
    ]
    kept: set[int] = set()
    for index in (*on_path, *beside, *range(len(nodes))):
        parent = nodes[index].parent
        # Every parent that leaves nodes out needs a line for their number.
        if len(kept) + len({nodes[each].parent for each in kept} | {parent}) >= room:
            break
        if parent == ROOT or parent in kept:
            kept.add(index)
    return kept


def _draw(
    parent: int,
    indent: str,
    nodes: Sequence[Node],
    children: dict[int, list[int]],
    kept: set[int],
    lines: list[Line],
) -> None:
    below = children.get(parent, [])
    shown = sorted(
        (each for each in below if each in kept), key=lambda each: (not nodes[each].accepted, each)
    )
    left_out = sum(_size(each, children) for each in below if each not in kept)
    if left_out == 1 and shown:  # its number would take as much room
        shown += [each for each in below if each not in kept]
        left_out = 0
    for number, index in enumerate(shown):
        last = number == len(shown) - 1 and not left_out
        lines.append(Line(indent + ("└ " if last else "├ "), nodes[index]))
        _draw(index, indent + ("  " if last else "│ "), nodes, children, kept, lines)
    if left_out and (shown or parent == ROOT):
        lines.append(Line(indent + "└ ", None, left_out))


def _size(index: int, children: dict[int, list[int]]) -> int:
    return 1 + sum(_size(each, children) for each in children.get(index, []))
