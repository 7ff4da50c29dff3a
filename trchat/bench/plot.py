"""A bar chart of the speedups by category."""

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trchat.bench.machine import conditions
from trchat.errors import TrchatError, UsageError

FORMATS = (".svg", ".png", ".pdf")
_WIDTH, _HEIGHT = 8.0, 3.4
"""Inches, 100 pixels each: as wide as a code host shows a README, so that letters keep their size there."""
_BAR = 0.34
"""Inches that the figure above a bar takes."""
_LEGEND_LINE = 0.22


def check(path: Path) -> None:
    """Make sure, before anything is measured, that ``path`` can be drawn.

    Raises UsageError for another file ending, TrchatError when matplotlib (extra ``plot``) is missing.
    """
    if path.suffix.lower() not in FORMATS:
        ending = path.suffix or "a file without an ending"
        raise UsageError(f"--plot writes {', '.join(FORMATS)}; not {ending}")
    if importlib.util.find_spec("matplotlib") is None:
        raise TrchatError("plots need matplotlib: pip install 'trchat[plot]'")


def plot(reports: list[dict[str, Any]], path: Path, only: Sequence[str] = ()) -> None:
    """Draw the speedups of ``reports`` (the bench's JSON) into ``path``, on one axis.

    A colour stands for one mode of one report; ``only`` these modes. Raises TrchatError when it cannot be
    written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # The same figures draw the same file, byte for byte: no date, no random names inside.
    matplotlib.rcParams["svg.hashsalt"] = "trchat"
    series = [(report, mode) for report in reports for mode in modes(report) if not only or mode in only]
    categories = list(dict.fromkeys(row["category"] for report in reports for row in report["results"]))
    bars = max(len(categories) * len(series), 1)
    figure, axes = pyplot.subplots(
        figsize=(max(_WIDTH, bars * _BAR), _HEIGHT + _LEGEND_LINE * len(series)), layout="constrained"
    )
    try:
        _draw(axes, series, categories)
        figure.savefig(path, dpi=100, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise TrchatError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        pyplot.close(figure)


def modes(*reports: dict[str, Any]) -> list[str]:
    """All that ``reports`` compare with plain decoding, as they come."""
    found = dict.fromkeys(row["draft"] for report in reports for row in report["results"])
    return [mode for mode in found if mode != "off"]


def _draw(axes: Any, series: Sequence[tuple[dict[str, Any], str]], categories: Sequence[str]) -> None:
    """One group of bars a category, one bar a mode of a report; plain decoding is the line at 1."""
    names = {mode for _, mode in series}
    several = len({id(report) for report, _ in series}) > 1
    width = 0.84 / max(len(series), 1)
    modeled = False
    for number, (report, mode) in enumerate(series):
        rows = report["results"]
        key = "modeled_speedup" if rows[0]["modeled_speedup"] is not None else "speedup"
        modeled = modeled or key != "speedup"
        speedups = {
            row["category"]: row[key] for row in rows if row["draft"] == mode and row[key] is not None
        }
        heights = [speedups.get(category, math.nan) for category in categories]
        places = [place + width * (number - (len(series) - 1) / 2) for place in range(len(categories))]
        where = conditions(report) if several else ""
        label = " · ".join(part for part in (mode if len(names) > 1 or not several else "", where) if part)
        bars = axes.bar(places, heights, width, label=label, color=f"C{number}")
        # On white, so that the line at 1 does not strike them through.
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
        axes.bar_label(
            bars, fmt="%.2f", fontsize=8, padding=2, rotation=90 if len(series) > 3 else 0, bbox=box
        )
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.margins(x=0.01, y=0.1)
    axes.set_xticks(range(len(categories)), [category.replace("_", "\n") for category in categories])
    axes.set_ylabel("speedup over plain decoding" + (" (modeled)" if modeled else ""))
    title = ", ".join(dict.fromkeys(conditions(report) for report, _ in series)) if not several else None
    axes.legend(title=title, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
