"""From the name of a draft mode to a drafter."""

from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.cost import Costs
from trchat.recycling.drafter import Drafter, LookupDrafter, NoDrafter, RecyclingDrafter
from trchat.recycling.knowledge import Knowledge


def make_drafter(mode: str, n_vocab: int, costs: Costs | None = None) -> Drafter:
    """A cold drafter for ``mode``: ``auto`` (deciding by ``costs``), ``recycling``, ``lookup`` or ``off``.

    Raises ValueError for any other name.
    """
    match mode:
        case "off":
            return NoDrafter()
        case "lookup":
            return LookupDrafter()
        case "recycling":
            return RecyclingDrafter(AdjacencyMatrix(n_vocab))
        case "auto":
            return AutoDrafter(Knowledge(), costs)
    raise ValueError(f"no draft mode {mode!r}")
