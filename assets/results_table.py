"""Writes the measured figures into the README, and draws them: ``python assets/results_table.py``.

Reads every ``assets/results/*.json``, in the order of their names, as ``trchat bench --json FILE`` wrote them
(and ``assets/compare_peers.py``, whose files have ``programs`` instead of ``results``). Needs
``pip install 'trchat[plot]'``. Figures are never typed in: measure again, put the file there, run this.
"""

import json
import sys
from pathlib import Path
from typing import Any

from trchat.bench.machine import conditions, device
from trchat.bench.plot import modes, plot

FOLDER = Path(__file__).parent
README = FOLDER.parent / "README.md"
PICTURE = "![Speedup over plain decoding, by kind of question](assets/speedup.svg)"
Report = dict[str, Any]


def main() -> int:
    """Bring README and picture up to date; exit code 1 where nothing was measured."""
    files = read_results()
    if not any("results" in each for each in files):
        print("there is nothing in assets/results to write about", file=sys.stderr)
        return 1
    README.write_text(updated(README.read_text(encoding="utf-8"), files), encoding="utf-8")
    plot([each for each in files if "results" in each], FOLDER / "speedup.svg")
    return 0


def read_results() -> list[Report]:
    """All that was measured, in the order of the files' names."""
    return [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "results").glob("*.json"))
    ]


def updated(text: str, files: list[Report]) -> str:
    """``text`` with the figures of ``files`` between its markers. Raises ValueError without markers."""
    reports = [each for each in files if "results" in each]
    blocks = {"peers": "\n\n".join(peers(each) for each in files if "programs" in each)}
    if reports:
        blocks["headline"] = headline(reports)
        blocks["results"] = "\n\n".join([PICTURE, overview(reports), by_kind(reports)])
    for name, block in blocks.items():
        if block:
            text = replaced(text, name, block)
    return text


def replaced(text: str, name: str, block: str) -> str:
    """``text`` with a new block between the markers called ``name``. Raises ValueError without markers."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = text.partition(begin)
    _old, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the README has no markers called {name}")
    return f"{before}{begin}{block}\n{end}{after}"


def row_of(report: Report, mode: str, category: str = "all") -> dict[str, Any] | None:
    """The figures of one mode and kind of question, None where that was not measured."""
    rows = report["results"]
    return next((row for row in rows if (row["draft"], row["category"]) == (mode, category)), None)


def headline(reports: list[Report]) -> str:
    """What the first screen says: the best and the worst machine, the texts, what a warm start brings."""
    measured = [(row["speedup"], report) for report in reports if (row := row_of(report, "auto"))]
    measured.sort(key=lambda pair: pair[0], reverse=True)
    asked = row_of(measured[0][1], "auto")
    assert asked is not None
    ends = measured if len(measured) < 2 else [measured[0], measured[-1]]
    places = " to ".join(f"{speedup:.2f}x ({model_and_machine(report)})" for speedup, report in ends)
    places = f"from {places}" if len(ends) > 1 else places
    kinds = len({row["category"] for row in measured[0][1]["results"]}) - 1
    lines = [
        f"- **Faster, where it can be:** {places}, against plain decoding with {asked['prompts']} "
        f"questions of {kinds} kinds, starting from nothing; [where it helps, and where not](#results)."
    ]
    same = [row for report in reports if not report["machine"]["on_gpu"] and (row := row_of(report, "auto"))]
    if same:
        identical, prompts = sum(row["identical"] for row in same), sum(row["prompts"] for row in same)
        lines.append(
            f"- **The same answer:** {identical} of {prompts} answers on CPUs are those of plain decoding, "
            "token for token; the model itself verifies every draft."
        )
    gains = [
        (hot["tokens_per_step"] / cold["tokens_per_step"] - 1, hot["speedup"], cold["speedup"])
        for report in reports
        if (hot := row_of(report, "auto-hot")) and (cold := row_of(report, "auto"))
    ]
    learned = "no draft model, no training, any GGUF; what is learned of a model takes less than 2 MB"
    if gains:
        gain, hot_speed, cold_speed = max(gains)
        learned += (
            f" and is kept: {100 * gain:.0f} % more tokens a step after earlier questions on the same topics "
            f"({hot_speed:.2f}x instead of {cold_speed:.2f}x)"
        )
    return "\n".join([*lines, f"- **Nothing to set up:** {learned}."])


def model_and_machine(report: Report) -> str:
    """For who does not know the files' names: size and weights of the model, and what computed."""
    machine = report["machine"]
    _family, _, size = machine["architecture"].partition(" ")
    return f"{size} on {device(machine)}"


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
        lines.append(table_row(kind.replace("_", " "), *(_times(row and row["speedup"]) for row in found)))
    return "\n".join(lines)


def peers(report: Report) -> str:
    """Other programs on the same questions, each against its own plain decoding."""
    lines = [
        f"**{conditions(report)}** ({report['settings']['questions']} questions, "
        f"{report['settings']['max_tokens']} tokens each)",
        "",
        "| program | drafts | tokens/s | against its own plain decoding |",
        "|---|---|---|---|",
    ]
    for each in report["programs"]:
        cells = (each["program"], each["draft"], f"{each['tokens_per_s']:.1f}", _times(each["speedup"]))
        lines.append(table_row(*cells))
    return "\n".join(lines)


def table_row(*cells: str) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio is not None else "-"


if __name__ == "__main__":
    sys.exit(main())
