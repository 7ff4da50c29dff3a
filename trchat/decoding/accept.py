"""Which part of a draft the model itself would have written."""

from collections.abc import Callable, Container, Sequence

from trchat.recycling.tree import ROOT, DraftTree


def nothing() -> Sequence[int]:
    """What is known to come next without a grammar."""
    return ()


def accept(
    tree: DraftTree,
    sample: Callable[[int], int],
    end_tokens: Container[int],
    limit: int,
    forced: Callable[[], Sequence[int]] = nothing,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Follow the model's own choices down the tree; returns (accepted nodes, emitted tokens).

    ``sample(row)`` chooses the token after row ``row`` (0 = the root, 1 + i = node i), and ``forced()`` tells
    behind each choice what must follow it. Both are called exactly once for each token that the model chose,
    in order: the text and the sampler's state cannot depend on the draft.
    Stops behind what was not drafted (which is emitted too), at a token of ``end_tokens``, and at ``limit``
    tokens.
    """
    children: dict[tuple[int, int], int] = {}
    for number, key in enumerate(zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True)):
        children.setdefault(key, number)
    path: list[int] = []
    emitted: list[int] = []
    node: int | None = ROOT
    while node is not None and len(emitted) < limit:
        for token in (sample(node + 1), *forced()):
            emitted.append(token)
            if node is not None:
                node = children.get((node, token))
            if node is not None:
                path.append(node)
            if token in end_tokens or len(emitted) == limit:
                return tuple(path), tuple(emitted)
    return tuple(path), tuple(emitted)
