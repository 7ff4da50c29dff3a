"""A bar chart of the speedups by category."""

import importlib.util
import math
from pathlib import Path
from typing import Any

from trchat.bench.machine import conditions
from trchat.errors import TrchatError, UsageError

FORMATS = (".svg", ".png", ".pdf")
_COLUMNS = 2


def check(path: Path) -> None:
    """Make sure, before anything is measured, that ``path`` can be drawn.

    Raises UsageError for another file ending, TrchatError when matplotlib (extra ``plot``) is missing.
    """
    if path.suffix.lower() not in FORMATS:
        ending = path.suffix or "a file without an ending"
        raise UsageError(f"--plot writes {', '.join(FORMATS)}; not {ending}")
    if importlib.util.find_spec("matplotlib") is None:
        raise TrchatError("plots need matplotlib: pip install 'trchat[plot]'")


def plot(reports: list[dict[str, Any]], path: Path) -> None:
    """Draw ``reports`` (the bench's JSON) into ``path``, side by side where there are several.

    A mode has one colour in all of them. Raises TrchatError when it cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # The same figures draw the same file, byte for byte: no date, no random names inside.
    matplotlib.rcParams["svg.hashsalt"] = "trchat"
    categories = max(len({row["category"] for row in report["results"]}) for report in reports)
    columns = min(len(reports), _COLUMNS)
    rows = -(-len(reports) // columns)
    figure, all_axes = pyplot.subplots(
        rows,
        columns,
        figsize=((1.6 + 1.1 * categories) * columns, 3.6 * rows),
        layout="constrained",
        squeeze=False,
    )
    colours = {mode: f"C{number}" for number, mode in enumerate(modes(*reports))}
    places = [axes for row in all_axes for axes in row]
    try:
        for report, axes in zip(reports, places, strict=False):
            _draw(report, axes, colours)
        for axes in places[len(reports) :]:
            axes.set_axis_off()
        figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise TrchatError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        pyplot.close(figure)


def modes(*reports: dict[str, Any]) -> list[str]:
    """All that ``reports`` compare with plain decoding, as they come."""
    found = dict.fromkeys(row["draft"] for report in reports for row in report["results"])
    return [mode for mode in found if mode != "off"]


def _draw(report: dict[str, Any], axes: Any, colours: dict[str, str]) -> None:
    """One group of bars a category, one bar a mode; plain decoding is the line at 1."""
    rows = report["results"]
    key = "modeled_speedup" if rows[0]["modeled_speedup"] is not None else "speedup"
    compared = modes(report)
    categories = list(dict.fromkeys(row["category"] for row in rows))
    speedups = {(row["draft"], row["category"]): row[key] for row in rows if row[key] is not None}
    width = 0.8 / max(len(compared), 1)
    for number, mode in enumerate(compared):
        heights = [speedups.get((mode, category), math.nan) for category in categories]
        places = [place + width * (number - (len(compared) - 1) / 2) for place in range(len(categories))]
        bars = axes.bar(places, heights, width, label=mode, color=colours[mode])
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(categories)), [category.replace("_", "\n") for category in categories])
    axes.set_ylabel("speedup over plain decoding" + (" (modeled)" if key.startswith("modeled") else ""))
    axes.set_title(conditions(report), fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
