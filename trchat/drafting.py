"""From the name of a draft mode to a drafter."""

from typing import Protocol

from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.cost import Costs
from trchat.recycling.drafter import Drafter, LookupDrafter, NoDrafter, RecyclingDrafter
from trchat.recycling.knowledge import Knowledge


class Memory(Protocol):
    """What earlier sessions have learned about the model."""

    @property
    def knowledge(self) -> Knowledge:
        """For ``auto``."""

    @property
    def matrix(self) -> AdjacencyMatrix:
        """For ``recycling``."""


def make_drafter(
    mode: str,
    n_vocab: int,
    costs: Costs | None = None,
    memory: Memory | None = None,
    *,
    chains: bool = False,
    recall: bool = True,
) -> Drafter:
    """A drafter for ``mode``: ``auto`` (deciding by ``costs``), ``recycling``, ``lookup`` or ``off``.

    It starts cold, or from what ``memory`` holds. ``chains`` says that branches would be of no use,
    ``recall`` whether texts that are over may be guessed to come again. Raises ValueError for any other name.
    """
    match mode:
        case "off":
            return NoDrafter()
        case "lookup":
            return LookupDrafter()
        case "recycling":
            return RecyclingDrafter(memory.matrix if memory else AdjacencyMatrix(n_vocab))
        case "auto":
            without = frozenset[str]() if recall else frozenset({"earlier"})
            knowledge = memory.knowledge if memory else Knowledge()
            return AutoDrafter(knowledge, costs, without=without, chains=chains)
    raise ValueError(f"no draft mode {mode!r}")
