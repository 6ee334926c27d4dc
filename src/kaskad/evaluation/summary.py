"""Models × corpora in one table: summary.json, summary.csv, and on the console."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from kaskad.metrics.registry import METRICS, shown_in
from kaskad.reports.readable_json import to_json

Row = dict[str, Any]  # a model on a test corpus, and what came of it
# What is thought of a row: a corpus that failed has no figures.
WITHIN, BEYOND, FAILED, NO_BOUNDS = "within", "beyond", "failed", "no bounds"
COLOURS = {WITHIN: "green", BEYOND: "red", FAILED: "red", NO_BOUNDS: ""}


def rows_of(report: Mapping[str, Any], bounds: Mapping[str, float]) -> list[Row]:
    """A row for each corpus in a report.json: its figures with their 95 % intervals, its speed, and
    the ``verdict`` on whether all figures are within ``bounds``, with the ``reason``."""
    rows = []
    for corpus, part in report["corpora"].items():
        if part["utterances"]:
            faults = beyond(part["figures"], bounds)
            verdict = BEYOND if faults else WITHIN if bounds else NO_BOUNDS
        else:
            verdict, faults = FAILED, ["none of its utterances could be read"]
        row: Row = {"corpus": corpus, "verdict": verdict, "reason": "; ".join(faults)}
        for name in ("utterances", "skipped", "audio_seconds", "audio_seconds_per_second"):
            row[name] = part[name]
        figures = pl.DataFrame(part["tables"].get("figures", {}))
        for figure, value, low, high in figures.rows():
            row |= {figure: value, f"{figure}_low": low, f"{figure}_high": high}
        rows.append(row)
    return rows


def beyond(figures: Mapping[str, float], bounds: Mapping[str, float]) -> list[str]:
    """What is worse than its bound, and by how much: an accuracy below it, an error rate above."""
    faults = []
    for name, bound in bounds.items():
        if name not in figures:
            faults.append(f"there is no figure {name} to hold against its bound")
            continue
        metric = METRICS[name]
        lacking = (figures[name] - bound) * (1 if metric.lower_is_better else -1)
        if lacking > 0:
            share, points, limit = (100 * x for x in (figures[name], lacking, bound))
            faults.append(
                f"{metric.title} is {share:.2f} %, {points:.2f} points beyond its bound of "
                f"{limit:.2f} %"
            )
    return faults


def write_summary(rows: Sequence[Row], folder: Path, origin: Mapping[str, Any]) -> None:
    """Write summary.json, which begins with ``origin``, and summary.csv into ``folder``."""
    (folder / "summary.json").write_text(to_json({**origin, "rows": rows}), encoding="utf-8")
    pl.DataFrame(rows, infer_schema_length=None).write_csv(folder / "summary.csv")


def show_summary(rows: Sequence[Row], console: Console) -> None:
    """Print the rows, the figures with their intervals; then which model is which."""
    figures = shown_in("summary", [{"figures": row} for row in rows])
    table = Table("model", "data", "corpus")
    titles = (metric.title for metric in figures.values())
    for heading in ("utterances", "skipped", *titles, "speed"):
        table.add_column(heading, justify="right")
    table.add_column("bounds")
    for row in rows:
        speed = row.get("audio_seconds_per_second")
        verdict = row["verdict"] + (" (critical)" if row["critical"] else "")
        table.add_row(
            str(row["model"]),
            row["data"],
            row["corpus"] or "–",
            *(str(row.get(name, "–")) for name in ("utterances", "skipped")),
            *(_share(row, name) for name in figures),
            "–" if speed is None else f"{speed:.0f}×",
            verdict,
            style=COLOURS[row["verdict"]],
        )
    console.print(table)
    for number, checkpoint in {row["model"]: row["checkpoint"] for row in rows}.items():
        console.print(f"{number}: {checkpoint}", highlight=False, markup=False)


def _share(row: Row, name: str) -> str:
    if row.get(name) is None:
        return "–"
    value, low, high = (100 * row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value:.2f} % ({low:.1f}–{high:.1f})"
