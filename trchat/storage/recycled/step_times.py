"""Step costs as text, and back without trust."""

import json
import math

from trchat.recycling.cost import StepCosts

MAX_TEXT = 1 << 16
"""Characters; ten ranges of a dozen widths take under 3,000."""

_MAX_RANGE = 64
_MAX_WIDTH = 4096
_MAX_MS = 1e7


def to_text(costs: StepCosts) -> str:
    """The curves (milliseconds by width, for each range of context length) as JSON."""
    curves = {
        str(length): {str(width): round(ms, 4) for width, ms in curve.items()}
        for length, curve in costs.curves.items()
        if curve
    }
    facts = {"change_ms": round(costs.change_ms, 4), "curves": curves}
    if costs.plain_ms is not None:
        facts["plain_ms"] = round(costs.plain_ms, 4)
    return json.dumps(facts, separators=(",", ":"))


def recall(costs: StepCosts, text: str) -> bool:
    """Let ``costs`` go on from stored ones, without what cannot be right; say whether there were any."""
    curves: dict[int, dict[int, float]] = {}
    change_ms = costs.change_ms
    try:
        stored = json.loads(text) if len(text) <= MAX_TEXT else {}
        change = _milliseconds(stored.get("change_ms"))
        plain_ms = _milliseconds(stored.get("plain_ms"))
        if change is not None:
            change_ms = change
        for length, curve in stored.get("curves", {}).items():
            found = {int(width): _milliseconds(ms) for width, ms in curve.items() if width.isdecimal()}
            sound = {width: ms for width, ms in found.items() if ms and 1 <= width <= _MAX_WIDTH}
            if sound and length.isdecimal() and int(length) <= _MAX_RANGE:
                curves[int(length)] = sound
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return False
    if curves:
        costs.recall(curves, change_ms, plain_ms or None)
    return bool(curves)


def _milliseconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= _MAX_MS else None
