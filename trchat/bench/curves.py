"""Cost curves measured on other machines: what a step of each width took there."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trchat.errors import UsageError
from trchat.recycling.cost import FixedCosts


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Milliseconds of one decode by batch width, and what a change of width adds."""

    name: str
    milliseconds: dict[int, float]
    change_ms: float

    def costs(self) -> FixedCosts:
        """The curve as the width choice reads it."""
        return FixedCosts(self.milliseconds, self.change_ms)

    def total_ms(self, widths: Iterable[int]) -> float:
        """What these steps would have taken there, one after the other."""
        costs, total, before = self.costs(), 0.0, None
        for width in widths:
            total += costs.of(width) + (self.change_ms if before not in (None, width) else 0.0)
            before = width
        return total


def load_curve(spec: str) -> CostCurve:
    """Read ``FILE:NAME``; raises UsageError when there is no such file or curve, or it is malformed."""
    file, _, name = spec.rpartition(":")
    if not file:
        raise UsageError(f"--cost-curve wants FILE:NAME, not {spec!r}")
    try:
        curves = json.loads(Path(file).read_text(encoding="utf-8"))["curves"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"cannot read cost curves from {file}: {error}") from error
    if not isinstance(curves, dict):
        raise UsageError(f"cannot read cost curves from {file}: they are no JSON object")
    if name not in curves:
        raise UsageError(f"{file} has no curve {name!r}; it has {', '.join(sorted(curves))}")
    try:
        record = curves[name]
        milliseconds = {int(width): float(ms) for width, ms in record["ms"].items()}
        change_ms = float(record.get("shape_change_ms", 0.0))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"the curve {name!r} in {file} is malformed: {error}") from error
    if 1 not in milliseconds or len(milliseconds) < 2 or min(milliseconds) < 1:
        raise UsageError(f"the curve {name!r} in {file} needs the time of width 1 and of another width")
    # JSON as Python reads it knows NaN and Infinity.
    if not all(0 < ms < math.inf for ms in milliseconds.values()) or not 0 <= change_ms < math.inf:
        raise UsageError(f"the curve {name!r} in {file} has a time that no step can take")
    return CostCurve(name, milliseconds, change_ms)
