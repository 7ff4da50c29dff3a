"""Step costs as text, and back without trust."""

import json
import math

from trchat.recycling.cost import Preparing, StepCosts

MAX_TEXT = 1 << 16
"""Characters; a dozen widths take under 400."""

_PREPARED = (Preparing.CHANGE, Preparing.UPDATE, Preparing.RECORDING)
_MAX_WIDTH = 4096
_MIN_MS, _MAX_MS = 1e-3, 1e7


def to_text(costs: StepCosts) -> str:
    """The curve (milliseconds by width), plain steps and what a context adds as JSON."""
    facts: dict[str, object] = {
        "preparing": [round(costs.preparing_ms(what), 4) for what in _PREPARED],
        "curve": {str(width): round(ms, 4) for width, ms in costs.curve.items()},
        "shared": costs.shared,
    }
    if costs.known:
        facts["plain"] = round(max(costs.curve[1] - costs.work_ms, 0.0), 4)
        facts["context"] = [round(rate, 4) for rate in costs.context]
    return json.dumps(facts, separators=(",", ":"))


def recall(costs: StepCosts, text: str) -> bool:
    """Let ``costs`` go on from stored ones, without what cannot be right; say whether there were any."""
    try:
        stored = json.loads(text) if len(text) <= MAX_TEXT else {}
        preparing = [_milliseconds(ms) for ms in stored.get("preparing", [])]
        plain = _milliseconds(stored.get("plain"))
        by_width = {
            int(width): _milliseconds(ms)
            for width, ms in stored.get("curve", {}).items()
            if width.isdecimal()
        }
        rates = [_milliseconds(rate) for rate in stored.get("context", [])]
        shared = stored.get("shared") is True
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return False
    curve = {width: ms for width, ms in by_width.items() if ms and ms >= _MIN_MS and 1 <= width <= _MAX_WIDTH}
    if 1 not in curve:
        return False
    context: tuple[float, float] | None = None
    match rates:
        case [float(per_step), float(per_row)]:
            context = per_step, per_row
    found = [ms for ms in preparing if ms is not None]
    costs.recall(
        curve,
        found if len(found) == len(_PREPARED) else [costs.preparing_ms(what) for what in _PREPARED],
        plain if plain and plain >= _MIN_MS else None,
        context,
        shared,
    )
    return True


def plain_ms(text: str) -> float | None:
    """Milliseconds of a plain step with an empty context, of stored costs; None where it was not seen."""
    costs = StepCosts()
    return costs.plain_ms if recall(costs, text) else None


def _milliseconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= _MAX_MS else None
