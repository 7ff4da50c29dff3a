"""Writes the measured figures into README and docs, and draws them: ``python assets/results_table.py``.

Reads every ``assets/results/*.json``, in the order of their names, as ``trchat bench --json FILE`` wrote them
(and ``assets/compare_peers.py``, whose files have ``programs`` instead of ``results``). Needs
``pip install 'trchat[plot]'``. Figures are never typed in: measure again, put the file there, run this.
"""

import json
import sys
from pathlib import Path
from typing import Any

from trchat.bench.machine import conditions
from trchat.bench.plot import modes, plot

FOLDER = Path(__file__).parent
README = FOLDER.parent / "README.md"
RESULTS = FOLDER.parent / "docs" / "results.md"
PICTURE = "![Speedup over plain decoding, by kind of question](../assets/speedup.svg)"
Report = dict[str, Any]


def main() -> int:
    """Bring README, docs and picture up to date; exit code 1 where nothing was measured."""
    files = read_results()
    reports = [each for each in files if "results" in each]
    if not reports:
        print("there is nothing in assets/results to write about", file=sys.stderr)
        return 1
    for path in (README, RESULTS):
        path.write_text(updated(path.read_text(encoding="utf-8"), files), encoding="utf-8")
    plot(reports, FOLDER / "speedup.svg", ["auto"])
    return 0


def read_results() -> list[Report]:
    """All that was measured, in the order of the files' names."""
    return [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "results").glob("*.json"))
    ]


def updated(text: str, files: list[Report]) -> str:
    """``text`` with the figures of ``files`` between the markers it has."""
    reports = [each for each in files if "results" in each]
    blocks = {
        "headline": headline(reports),
        "summary": summary(reports),
        "results": "\n\n".join([PICTURE, overview(reports), by_kind(reports)]),
        "peers": "\n\n".join(peers(each) for each in files if "programs" in each),
    }
    for name, block in blocks.items():
        if f"<!-- begin: {name} -->" in text:
            text = replaced(text, name, block)
    return text


def replaced(text: str, name: str, block: str) -> str:
    """``text`` with a new block between the markers called ``name``. Raises ValueError without markers."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = text.partition(begin)
    _old, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there are no markers called {name}")
    return f"{before}{begin}{block}\n{end}{after}"


def row_of(report: Report, mode: str, category: str = "all") -> dict[str, Any] | None:
    """The figures of one mode and kind of question, None where that was not measured."""
    rows = report["results"]
    return next((row for row in rows if (row["draft"], row["category"]) == (mode, category)), None)


def headline(reports: list[Report]) -> str:
    """What the first screen says of speed: on each machine, and where it helps and where not on the first."""
    measured = [(row, report) for report in reports if (row := row_of(report, "auto"))]
    places = ", ".join(f"{_times(row['speedup'])} ({conditions(report)})" for row, report in measured)
    first = measured[0][1]
    best, worst = ends(first)
    kinds = len({each["category"] for each in first["results"]}) - 1
    asked = sorted({each["prompts"] for each, _ in measured})
    questions = " to ".join(map(str, dict.fromkeys((asked[0], asked[-1]))))
    return (
        f"**How much faster, measured:** {places}, against plain decoding, over {questions} questions of "
        f"{kinds} kinds, starting from nothing. On the first of these it is {best}, and {worst}. "
        "[Where it helps, and where it does not](#results)."
    )


def ends(report: Report) -> tuple[str, str]:
    """The kind of question that gains most by ``auto``, and the one that gains least, with their speedups."""
    rows = [
        row
        for row in report["results"]
        if row["draft"] == "auto" and row["category"] != "all" and row["speedup"]
    ]
    rows.sort(key=lambda row: row["speedup"])
    first, last = (f"{_times(row['speedup'])} for {_kind(row['category'])}" for row in (rows[-1], rows[0]))
    return first, last


def summary(reports: list[Report]) -> str:
    """One row a machine and model, for the README: what ``auto`` brings, and where most and least."""
    lines = [
        "| model and machine | plain decoding | `auto`, all questions | most | least | same text |",
        "|---|---|---|---|---|---|",
    ]
    for report in reports:
        off, row = row_of(report, "off"), row_of(report, "auto")
        if row is None:
            continue
        plain = f"{off['tokens_per_s']:.1f} tokens/s" if off else "-"
        same = f"{row['identical']} of {row['prompts']}"
        best, worst = ends(report)
        lines.append(table_row(conditions(report), plain, _times(row["speedup"]), best, worst, same))
    return "\n".join(lines)


def _kind(category: str) -> str:
    names = {"qa": "short questions", "rag": "questions about a text", "math_reasoning": "mathematics"}
    return names.get(category, category.replace("_", " "))


def overview(reports: list[Report]) -> str:
    """One row a machine and model: plain decoding and every mode beside it."""
    lines = []
    for report in reports:
        off, settings = row_of(report, "off"), report["settings"]
        asked = max(row["prompts"] for row in report["results"])
        lines += [
            f"**{conditions(report)}** ({asked} questions, {settings['max_tokens']} tokens each, temperature "
            f"{settings['temperature']:g}, llama-cpp-python {report['machine']['llama_cpp_python']}"
            + (f"; plain decoding {off['tokens_per_s']:.1f} tokens/s)" if off else ")"),
            "",
            "| drafts | tokens/s | speedup | median (quartiles) | tokens per step | same text |",
            "|---|---|---|---|---|---|",
            *(_mode_row(mode, row_of(report, mode)) for mode in modes(report)),
            "",
        ]
    return "\n".join(lines).rstrip()


def _mode_row(mode: str, row: dict[str, Any] | None) -> str:
    assert row is not None
    middle = (
        f"{row['speedup_median']:.2f} ({row['speedup_q1']:.2f} to {row['speedup_q3']:.2f})"
        if row["speedup_median"] is not None
        else "-"
    )
    return table_row(
        f"`{mode}`",
        f"{row['tokens_per_s']:.1f}",
        _times(row["speedup"]),
        middle,
        f"{row['tokens_per_step']:.2f}",
        f"{row['identical']} of {row['prompts']}",
    )


def by_kind(reports: list[Report]) -> str:
    """Speedup of ``auto`` by kind of question, one column a report."""
    kinds = list(dict.fromkeys(row["category"] for report in reports for row in report["results"]))
    lines = [
        table_row("speedup of `auto`", *(conditions(report) for report in reports)),
        "|---" * (len(reports) + 1) + "|",
    ]
    for kind in kinds:
        found = [row_of(report, "auto", kind) for report in reports]
        lines.append(table_row(_kind(kind), *(_times(row and row["speedup"]) for row in found)))
    return "\n".join(lines)


def peers(report: Report) -> str:
    """Other programs on the same questions, each against its own plain decoding and trchat's."""
    lines = [
        f"**{conditions(report)}** ({report['settings']['questions']} questions, "
        f"{report['settings']['max_tokens']} tokens each)",
        "",
        "| program | drafts | tokens/s | against its own plain decoding | against trchat's |",
        "|---|---|---|---|---|",
    ]
    for each in report["programs"]:
        speed = f"{each['tokens_per_s']:.1f}"
        beside = f"{_times(each['speedup'])} | {_times(each['against_plain_trchat'])}"
        lines.append(table_row(each["program"], each["draft"], speed, beside))
    return "\n".join(lines)


def table_row(*cells: str) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio is not None else "-"


if __name__ == "__main__":
    sys.exit(main())
