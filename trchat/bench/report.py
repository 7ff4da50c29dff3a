"""From measurements to the figures that are shown, stored and plotted."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from trchat.bench.curves import CostCurve
from trchat.bench.questions import ALL
from trchat.bench.runner import Measurement
from trchat.bench.variants import Variant

Row = dict[str, Any]


def rows(
    measurements: Iterable[Measurement],
    compared: Sequence[Variant],
    curve: CostCurve | None = None,
    margins: Mapping[Measurement, float] | None = None,
) -> list[Row]:
    """One row per variant and category, and category ``all``; fields as in the documented JSON.

    ``speedup`` compares tokens per second over all prompts of the row with ``off``'s; ``speedup_median``,
    ``speedup_q1`` and ``speedup_q3`` are of the ratios prompt by prompt. None where ``off`` was not run.
    ``against_auto`` compares with the whole ``auto``, cold, in the same way. ``fork_margin`` is the largest
    of ``margins`` (see trchat.bench.forks), None where no text differs.
    """
    measured = list(measurements)
    plain, whole = (
        {(m.question.id, m.turn): m for m in measured if m.mode == name} for name in ("off", "auto")
    )
    categories = list(dict.fromkeys(m.question.category for m in measured))
    return [
        _row(
            variant,
            category,
            [m for m in measured if m.mode == variant.name and category in (m.question.category, ALL)],
            plain,
            whole,
            curve,
            margins or {},
        )
        for variant in compared
        for category in [*categories, ALL]
    ]


def _row(
    variant: Variant,
    category: str,
    group: list[Measurement],
    plain: dict[tuple[str, int], Measurement],
    whole: dict[tuple[str, int], Measurement],
    curve: CostCurve | None,
    margins: Mapping[Measurement, float],
) -> Row:
    tokens = sum(len(m.token_ids) for m in group)
    steps = sum(m.steps for m in group)
    seconds = sum(m.seconds for m in group)
    pairs = _pairs(group, plain)
    ratios = [
        (len(m.token_ids) / m.seconds) / (len(off.token_ids) / off.seconds)
        for m, off in pairs
        if m.seconds and off.seconds and off.token_ids
    ]
    row: Row = {
        "draft": variant.name,
        "without": sorted(variant.without),
        "category": category,
        "prompts": len(group),
        "tokens": tokens,
        "steps": steps,
        "tokens_per_step": round(tokens / steps, 4) if steps else 0.0,
        "tokens_per_s": round(tokens / seconds, 2) if seconds else 0.0,
        "speedup": _total_ratio(pairs),
        "speedup_median": round(median(ratios), 4) if ratios else None,
        "speedup_q1": round(_quartile(ratios, 0), 4) if ratios else None,
        "speedup_q3": round(_quartile(ratios, 2), 4) if ratios else None,
        "against_auto": _total_ratio(_pairs(group, whole)),
        "modeled_speedup": _modeled(group, curve),
        "identical": sum(m.token_ids == off.token_ids for m, off in pairs),
        "fork_margin": max((round(margins[m], 4) for m in group if m in margins), default=None),
        "ms_per_step": _parts(group, steps),
        "drafted": sum(m.drafted for m in group),
        "accepted": sum(m.accepted for m in group),
        "host_ms_per_step": round(1e3 * sum(m.host_s for m in group) / steps, 4) if steps else 0.0,
        "host_share": round(sum(m.host_s for m in group) / seconds, 4) if seconds else 0.0,
        "mean_width": round(sum(sum(m.widths) for m in group) / steps, 2) if steps else 0.0,
        "width_changes": sum(a != b for m in group for a, b in zip(m.widths, m.widths[1:], strict=False)),
    }
    return row


def _pairs(
    group: list[Measurement], others: dict[tuple[str, int], Measurement]
) -> list[tuple[Measurement, Measurement]]:
    return [(m, others[key]) for m in group if (key := (m.question.id, m.turn)) in others]


def _parts(group: list[Measurement], steps: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for m in group:
        for part, seconds in m.parts:
            sums[part] = sums.get(part, 0.0) + seconds
    return {part: round(1e3 * seconds / steps, 4) for part, seconds in sums.items()} if steps else {}


def _total_ratio(pairs: list[tuple[Measurement, Measurement]]) -> float | None:
    tokens, seconds = sum(len(m.token_ids) for m, _ in pairs), sum(m.seconds for m, _ in pairs)
    off_tokens, off_seconds = (
        sum(len(off.token_ids) for _, off in pairs),
        sum(off.seconds for _, off in pairs),
    )
    if not (tokens and seconds and off_tokens and off_seconds):
        return None
    return round((tokens / seconds) / (off_tokens / off_seconds), 4)


def _quartile(values: list[float], which: int) -> float:
    return quantiles(values, n=4, method="inclusive")[which] if len(values) > 1 else values[0]


def _modeled(group: list[Measurement], curve: CostCurve | None) -> float | None:
    """One-token time of that machine for all tokens over its time for the batches that were used."""
    if curve is None or not group:
        return None
    total = sum(curve.total_ms(m.widths) for m in group)
    plain = curve.milliseconds[1] * sum(len(m.token_ids) for m in group)
    return round(plain / total, 4) if total else None
