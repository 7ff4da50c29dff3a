"""What is compared: modes, ``auto`` without its parts, and warmed twins."""

from trchat.bench.variants import (
    FIXED_WIDTH,
    Variant,
    auto_parts,
    drafter_for,
    variants,
    with_ablation,
    with_hot,
)
from trchat.recycling.cost import StepCosts
from trchat.recycling.growth import RecentCandidates, all_sources
from trchat.recycling.knowledge import Knowledge
from trchat.recycling.suffix import SuffixIndex


def names(compared):
    return [each.name for each in compared]


def test_only_modes_that_learn_are_warmed():
    hot = with_hot(variants(["off", "auto", "lookup", "recycling"]))
    assert names(hot) == ["off", "auto", "auto-hot", "lookup", "recycling", "recycling-hot"]
    assert [each.mode for each in hot if each.hot] == ["auto", "recycling"]


def test_only_auto_has_parts_to_leave_out():
    assert variants(["lookup", "auto"], ["gap"]) == [
        Variant("lookup", "lookup"),
        Variant("auto", "auto", frozenset(["gap"])),
    ]
    compared = with_ablation(variants(["off", "auto"]), ["gap", "width"])
    assert names(compared) == ["off", "auto", "auto without gap", "auto without width"]
    assert [each.without for each in compared] == [set(), set(), {"gap"}, {"width"}]


def test_every_source_is_a_part():
    sources = all_sources(Knowledge(), SuffixIndex(), RecentCandidates())
    parts = [part for source in sources for part in source.parts]
    assert auto_parts() == [*parts, "calibration", "width"] and len(parts) >= 6


def test_without_the_choice_of_width_all_trees_are_equally_wide():
    """Told by what is drafted: a text that repeats itself, with a machine on which every token is dear."""
    costs = StepCosts()
    for width in (1, 2, 4, 8, 16, 32, 64):
        costs.measured(width, 100.0 * width)
    text = [5, 6, 7, 8] * 30
    drafted = {}
    for variant in with_ablation(variants(["auto"]), ["width"]):
        drafter = drafter_for(variant, 100, costs)
        drafter.begin(text)
        drafted[variant.name] = len(drafter.draft(64))
    assert drafted["auto"] < drafted["auto without width"] <= FIXED_WIDTH - 1


def test_what_one_variant_sees_of_the_machine_is_not_told_to_another():
    costs = StepCosts()
    costs.measured(1, 10.0)
    one, other = (drafter_for(Variant(name, "auto"), 100, costs) for name in ("a", "b"))
    one.costs.observe(1, 1.0)
    assert other.costs.of(1) == costs.of(1) == 10.0
    assert one.costs.of(1) < 10.0
