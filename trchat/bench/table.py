"""The bench's table, on a terminal or as plain text."""

from collections.abc import Callable
from typing import Any

from trchat.bench.machine import computed_by
from trchat.bench.questions import ALL

Column = tuple[str, Callable[[dict[str, Any]], str]]
"""A heading, and the text of a row's cell below it."""


def show(report: dict[str, Any]) -> None:
    """Print the results: all variants over all prompts, then the categories of each."""
    columns: list[Column] = [
        ("draft", lambda row: str(row["draft"])),
        ("category", lambda row: str(row["category"])),
        ("prompts", lambda row: str(row["prompts"])),
        ("tokens/step", lambda row: f"{row['tokens_per_step']:.2f}"),
        ("tokens/s", lambda row: f"{row['tokens_per_s']:.1f}"),
        ("speedup", lambda row: _times(row["speedup"])),
        ("median", lambda row: _times(row["speedup_median"])),
        ("q1-q3", _quartiles),
        ("identical", _identical),
        ("host ms", lambda row: f"{row['host_ms_per_step']:.2f}"),
        ("host %", lambda row: f"{100 * row['host_share']:.0f}"),
    ]
    _print(report, columns, report["results"])


def show_ablation(report: dict[str, Any]) -> None:
    """Print what each part of ``auto`` brings: one row without it, beside the whole, over all prompts."""
    columns: list[Column] = [
        ("draft", lambda row: str(row["draft"])),
        ("prompts", lambda row: str(row["prompts"])),
        ("tokens/step", lambda row: f"{row['tokens_per_step']:.3f}"),
        ("steps", lambda row: str(row["steps"])),
        ("mean width", lambda row: f"{row['mean_width']:.2f}"),
        ("ms/step", lambda row: f"{sum(row['ms_per_step'].values()):.2f}"),
        ("tokens/s", lambda row: f"{row['tokens_per_s']:.1f}"),
        ("against auto", lambda row: _times(row["against_auto"])),
    ]
    results = [row for row in report["results"] if row["category"] == ALL]
    if results[0]["speedup"] is not None:
        columns.append(("identical", _identical))
    _print(report, columns, results)


def _print(report: dict[str, Any], columns: list[Column], results: list[dict[str, Any]]) -> None:
    """The conditions, and ``results`` in ``columns``; text to the left, figures to the right."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if Console().is_terminal else 120)
    for line in _conditions(report):
        console.print(line, highlight=False, markup=False)
    modeled = report["settings"]["cost_curve"]
    if modeled:
        columns = [*columns, (f"modeled: {modeled}", lambda row: _times(row["modeled_speedup"]))]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in columns:
        table.add_column(heading, justify="left" if heading in ("draft", "category") else "right")
    several = len({row["category"] for row in results}) > 1
    for row in results:
        ends = several and row["category"] == ALL
        table.add_row(*(cell(row) for _, cell in columns), style="bold" if ends else None, end_section=ends)
    console.print(table)


def _conditions(report: dict[str, Any]) -> list[str]:
    settings, machine = report["settings"], report["machine"]
    start = f"{settings['start']} start" + _warmed(settings["warm"])
    depth = settings["depth"]
    return [
        f"{settings['model']} · {machine['architecture']}",
        computed_by(machine),
        f"{settings['max_tokens']} tokens each, temperature {settings['temperature']}",
        start
        + (", each question in a session of its own" if settings["anew"] else "")
        + (f"; behind a conversation of {depth} tokens" if depth else ""),
    ]


def _warmed(warm: dict[str, Any] | None) -> str:
    if not warm:
        return ""
    asked = warm["asked"]
    return f"; -hot: after {asked} question{'' if asked == 1 else 's'} ({warm['questions']})"


def _quartiles(row: dict[str, Any]) -> str:
    return f"{row['speedup_q1']:.2f}-{row['speedup_q3']:.2f}" if row["speedup_q1"] is not None else "-"


def _identical(row: dict[str, Any]) -> str:
    return str(row["identical"]) if row["speedup"] is not None else "-"


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio is not None else "-"
