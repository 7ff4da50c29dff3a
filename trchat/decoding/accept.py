"""Which part of a draft the model itself would have written."""

from collections.abc import Callable, Sequence

from trchat.recycling.tree import ROOT, DraftTree


def never(token: int) -> bool:
    """Where no token ends an answer."""
    return False


def nothing() -> Sequence[int]:
    """What is known to come next without a grammar."""
    return ()


def accept(
    tree: DraftTree,
    sample: Callable[[int], int],
    ends: Callable[[int], bool],
    limit: int,
    forced: Callable[[], Sequence[int]] = nothing,
) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """Follow the model's own choices down the tree; returns (accepted nodes, emitted tokens, an end or not).

    ``sample(row)`` chooses the token after row ``row`` (0 = the root, 1 + i = node i), ``ends(token)`` reads
    it and says whether the answer ends with it, and ``forced()`` then tells what must follow. ``sample`` and
    ``forced`` are called exactly once for each token that the model chose, ``ends`` for each emitted one, in
    order: neither the text nor the state of sampler and reader can depend on the draft.
    Stops behind what was not drafted (which is emitted too), at the answer's end, and at ``limit`` tokens.
    """
    children: dict[tuple[int, int], int] = {}
    for number, key in enumerate(zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True)):
        children.setdefault(key, number)
    path: list[int] = []
    emitted: list[int] = []
    node: int | None = ROOT
    ended = False

    def emit(token: int) -> bool:
        nonlocal node, ended
        emitted.append(token)
        if node is not None:
            node = children.get((node, token))
        if node is not None:
            path.append(node)
        ended = ends(token)
        return ended or len(emitted) == limit

    while node is not None and len(emitted) < limit:
        if emit(sample(node + 1)) or any(emit(token) for token in forced()):
            break
    return tuple(path), tuple(emitted), ended
