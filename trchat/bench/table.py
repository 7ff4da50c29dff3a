"""The bench's table, on a terminal or as plain text."""

from typing import Any


def show(report: dict[str, Any]) -> None:
    """Print the results: all modes over all prompts, then the categories of each mode."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if Console().is_terminal else 120)
    settings, machine = report["settings"], report["machine"]
    conditions = (
        f"{machine['model']} · {machine['architecture']}",
        f"{machine['processor']}, {machine['threads']} threads",
        f"{settings['max_tokens']} tokens each, temperature {settings['temperature']}",
        f"{settings['start']} start" + _warmed(settings["warm"]),
    )
    for line in conditions:
        console.print(line, highlight=False, markup=False)
    modeled = settings["cost_curve"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("draft")
    table.add_column("category")
    for name in (
        "prompts",
        "tokens/step",
        "tokens/s",
        "speedup",
        "median",
        "q1-q3",
        "identical",
        "host ms",
        "host %",
    ):
        table.add_column(name, justify="right")
    if modeled:
        table.add_column(f"modeled: {modeled}", justify="right")
    for row in report["results"]:
        cells = [
            row["draft"],
            row["category"],
            str(row["prompts"]),
            f"{row['tokens_per_step']:.2f}",
            f"{row['tokens_per_s']:.1f}",
            _times(row["speedup"]),
            _times(row["speedup_median"]),
            f"{row['speedup_q1']:.2f}-{row['speedup_q3']:.2f}" if row["speedup_q1"] is not None else "-",
            str(row["identical"]) if row["speedup"] is not None else "-",
            f"{row['host_ms_per_step']:.2f}",
            f"{100 * row['host_share']:.0f}",
        ]
        if modeled:
            cells.append(_times(row["modeled_speedup"]))
        table.add_row(
            *cells, style="bold" if row["category"] == "all" else None, end_section=row["category"] == "all"
        )
    console.print(table)


def _warmed(warm: dict[str, Any] | None) -> str:
    if not warm:
        return ""
    asked = warm["asked"]
    return f"; -hot: after {asked} question{'' if asked == 1 else 's'} ({warm['questions']})"


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio is not None else "-"
