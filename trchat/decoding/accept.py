"""Which part of a draft the model itself would have written."""

from collections.abc import Callable

from trchat.recycling.tree import ROOT, DraftTree


def never(token: int) -> bool:
    """Where no token ends an answer."""
    return False


def accept(
    tree: DraftTree, sample: Callable[[int], int], ends: Callable[[int], bool], limit: int
) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """Follow the model's own choices down the tree; returns (accepted nodes, emitted tokens, an end or not).

    ``sample(row)`` chooses the token after row ``row`` (0 = the root, 1 + i = node i), and ``ends(token)``
    reads it and says whether the answer ends with it. Both are called exactly once for each emitted token, in
    order: neither the text nor the state of sampler and reader can depend on the draft.
    Stops at a choice that was not drafted (which is emitted too), at the answer's end, and at ``limit``
    tokens.
    """
    children: dict[tuple[int, int], int] = {}
    for node, key in enumerate(zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True)):
        children.setdefault(key, node)
    path: list[int] = []
    emitted: list[int] = []
    node, ended = ROOT, False
    while len(emitted) < limit:
        token = sample(node + 1)
        emitted.append(token)
        child = children.get((node, token))
        if child is not None:
            path.append(child)
        ended = ends(token)
        if child is None or ended:
            break
        node = child
    return tuple(path), tuple(emitted), ended
