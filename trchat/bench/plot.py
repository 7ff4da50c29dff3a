"""A bar chart of the speedups by category."""

import importlib.util
from pathlib import Path
from typing import Any

from trchat.errors import TrchatError, UsageError

FORMATS = (".svg", ".png", ".pdf")


def check(path: Path) -> None:
    """Make sure, before anything is measured, that ``path`` can be drawn.

    Raises UsageError for another file ending, TrchatError when matplotlib (extra ``plot``) is missing.
    """
    if path.suffix.lower() not in FORMATS:
        ending = path.suffix or "a file without an ending"
        raise UsageError(f"--plot writes {', '.join(FORMATS)}; not {ending}")
    if importlib.util.find_spec("matplotlib") is None:
        raise TrchatError("plots need matplotlib: pip install 'trchat[plot]'")


def plot(report: dict[str, Any], path: Path) -> None:
    """Draw ``report`` (the bench's JSON) into ``path``; raises TrchatError when it cannot be written."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = report["results"]
    key = "modeled_speedup" if rows[0]["modeled_speedup"] is not None else "speedup"
    modes = [mode for mode in dict.fromkeys(row["draft"] for row in rows) if mode != "off"]
    categories = list(dict.fromkeys(row["category"] for row in rows))
    figure, axes = pyplot.subplots(figsize=(1.6 + 1.1 * len(categories), 3.6), layout="constrained")
    width = 0.8 / max(len(modes), 1)
    for number, mode in enumerate(modes):
        heights = [
            next((row[key] for row in rows if (row["draft"], row["category"]) == (mode, category)), None)
            or 0.0
            for category in categories
        ]
        places = [place + width * (number - (len(modes) - 1) / 2) for place in range(len(categories))]
        bars = axes.bar(places, heights, width, label=mode)
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(categories)), [category.replace("_", "\n") for category in categories])
    axes.set_ylabel("speedup over plain decoding" + (" (modeled)" if key.startswith("modeled") else ""))
    machine = report["machine"]
    axes.set_title(f"{machine['model']} · {machine['processor']}, {machine['threads']} threads", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=160)
    except OSError as error:
        raise TrchatError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        pyplot.close(figure)
