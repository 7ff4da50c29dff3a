"""What a bench compares: draft modes, ``auto`` with a part left out, and each of them warmed."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from trchat.drafting import Memory, make_drafter
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.cost import Costs
from trchat.recycling.drafter import Drafter
from trchat.recycling.growth import RecentCandidates, all_sources
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.suffix import SuffixIndex

LEARNING = ("auto", "recycling")
"""Modes that go on from what earlier answers taught."""

CALIBRATION, WIDTH = "calibration", "width"
FIXED_WIDTH = 16
"""Tokens in each batch, the root included, where the width choice is left out."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the things that are compared.

    Attributes:
        name: what the results call it, unlike all others.
        mode: its draft mode.
        without: parts of ``auto`` that are left out.
        hot: whether it starts from what other questions taught.
    """

    name: str
    mode: str
    without: frozenset[str] = frozenset()
    hot: bool = False


def variants(modes: Sequence[str], without: Sequence[str] = ()) -> list[Variant]:
    """The draft modes as they are; ``auto`` without some of its parts."""
    return [Variant(mode, mode, frozenset(without) if mode == "auto" else frozenset[str]()) for mode in modes]


def with_hot(compared: Sequence[Variant]) -> list[Variant]:
    """``compared``, and behind each one that learns its warmed twin: cold beside hot."""
    twins = {each: replace(each, name=f"{each.name}-hot", hot=True) for each in compared}
    return [
        one for each, twin in twins.items() for one in ([each, twin] if each.mode in LEARNING else [each])
    ]


def with_ablation(compared: Sequence[Variant], parts: Sequence[str]) -> list[Variant]:
    """``compared``, and behind ``auto`` the same with each of ``parts`` left out in turn."""
    found = []
    for each in compared:
        found.append(each)
        if each.mode == "auto":
            found += [replace(each, name=f"auto without {part}", without=frozenset([part])) for part in parts]
    return found


def auto_parts() -> list[str]:
    """All that can be left out of ``auto``: each source of guesses, the calibration, the choice of width.

    Without calibration, guesses keep the hit rates they begin with; without the choice of width, all trees
    are FIXED_WIDTH tokens wide.
    """
    sources = all_sources(Knowledge(), SuffixIndex(), RecentCandidates())
    return [*(part for source in sources for part in source.parts), CALIBRATION, WIDTH]


def drafter_for(
    variant: Variant,
    n_vocab: int,
    costs: Costs,
    width: int | None = None,
    memory: Memory | None = None,
    *,
    chains: bool = False,
) -> Drafter:
    """A drafter of its own for ``variant``: cold, or from ``memory``. ``width`` fixes the trees of ``auto``,
    ``chains`` makes chains of them.

    ``auto`` decides by a copy of ``costs``: what one variant sees of the machine must not help another.
    """
    if variant.mode != "auto":
        return make_drafter(variant.mode, n_vocab, memory=memory)
    return AutoDrafter(
        memory.knowledge if memory else Knowledge(),
        deepcopy(costs),
        width or (FIXED_WIDTH if WIDTH in variant.without else None),
        without=variant.without,
        chains=chains,
    )
