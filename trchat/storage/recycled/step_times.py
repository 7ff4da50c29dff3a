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
    """The curves (milliseconds by width, for each range of context length) and plain steps as JSON."""
    curves = {
        str(length): {str(width): round(ms, 4) for width, ms in curve.items()}
        for length, curve in costs.curves.items()
        if curve
    }
    facts = {"change_ms": round(costs.change_ms, 4), "curves": curves}
    if costs.plain:
        facts["plain"] = {str(length): round(ms, 4) for length, ms in costs.plain.items()}
    return json.dumps(facts, separators=(",", ":"))


def recall(costs: StepCosts, text: str) -> bool:
    """Let ``costs`` go on from stored ones, without what cannot be right; say whether there were any."""
    curves: dict[int, dict[int, float]] = {}
    change_ms = costs.change_ms
    try:
        stored = json.loads(text) if len(text) <= MAX_TEXT else {}
        change = _milliseconds(stored.get("change_ms"))
        plain = {
            int(length): milliseconds
            for length, ms in stored.get("plain", {}).items()
            if _is_range(length) and (milliseconds := _milliseconds(ms))
        }
        if change is not None:
            change_ms = change
        for length, curve in stored.get("curves", {}).items():
            found = {int(width): _milliseconds(ms) for width, ms in curve.items() if width.isdecimal()}
            sound = {width: ms for width, ms in found.items() if ms and 1 <= width <= _MAX_WIDTH}
            if sound and _is_range(length):
                curves[int(length)] = sound
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return False
    if curves:
        costs.recall(curves, change_ms, plain)
    return bool(curves)


def _is_range(text: str) -> bool:
    return text.isdecimal() and int(text) <= _MAX_RANGE


def _milliseconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= _MAX_MS else None
