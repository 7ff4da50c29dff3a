"""From the name of a draft mode to a drafter."""

from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.drafter import Drafter, LookupDrafter, NoDrafter, RecyclingDrafter
from trchat.recycling.knowledge import Knowledge


def make_drafter(mode: str, n_vocab: int) -> Drafter:
    """A cold drafter for ``mode`` (``auto``, ``recycling``, ``lookup`` or ``off``)."""
    match mode:
        case "off":
            return NoDrafter()
        case "lookup":
            return LookupDrafter()
        case "auto":
            return AutoDrafter(Knowledge())
        case _:
            return RecyclingDrafter(AdjacencyMatrix(n_vocab))
