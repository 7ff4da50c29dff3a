"""Which part of a draft the model itself would have written."""

from collections.abc import Callable, Container

from trchat.recycling.tree import ROOT, DraftTree


def accept(
    tree: DraftTree, sample: Callable[[int], int], end_tokens: Container[int], limit: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Follow the model's own choices down the tree; returns (accepted nodes, emitted tokens).

    ``sample(row)`` chooses the token after row ``row`` (0 = the root, 1 + i = node i). It is called exactly
    once for each emitted token, in order: the text and the sampler's state cannot depend on the draft.
    Stops at a choice that was not drafted (which is emitted too), at a token of ``end_tokens``, and at
    ``limit`` tokens.
    """
    children: dict[tuple[int, int], int] = {}
    for node, key in enumerate(zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True)):
        children.setdefault(key, node)
    path: list[int] = []
    emitted: list[int] = []
    node = ROOT
    while len(emitted) < limit:
        token = sample(node + 1)
        emitted.append(token)
        child = children.get((node, token))
        if child is not None:
            path.append(child)
        if child is None or token in end_tokens:
            break
        node = child
    return tuple(path), tuple(emitted)
