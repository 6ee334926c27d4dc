"""How good a model is, plainly: report.json, report.html, and a table on the console."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from polars import selectors
from rich.console import Console
from rich.table import Table

from kaskad.metrics.error_rates import word_errors
from kaskad.metrics.scores import Scores

EXAMPLES = 5
WORST = 20
# How a figure is called and shown; the rest of report.json speaks for itself.
TITLES = {
    "wer": "WER",
    "werc": "WERC",
    "cer": "CER",
    "per": "PER",
    "perc": "PERC",
    "sentence_accuracy": "exact sentences",
    "number_accuracy": "exact numbers",
    "digit_cer": "CER of digits",
    "balanced_accuracy": "balanced accuracy",
    "accuracy_female": "accuracy of women",
    "accuracy_male": "accuracy of men",
}


def describe(results: pl.DataFrame, scores: Scores, seconds: float) -> dict[str, Any]:
    """What is said of one corpus. ``results`` has id, reference, hypothesis and duration (s);
    ``seconds`` is what recognising it took."""
    figures = scores.figures() if scores.utterances else {}
    audio = float(results["duration"].sum())
    return {
        "utterances": scores.utterances,
        "figures": {name: round(value, 6) for name, value in figures.items()},
        **scores.counts(),
        "audio_seconds": round(audio, 2),
        "seconds": round(seconds, 2),
        "audio_seconds_per_second": round(audio / max(seconds, 1e-9), 1),
        "examples": _rows(results.sample(min(EXAMPLES, results.height), seed=0)),
        "worst": _rows(_worst(results)),
    }


def write_report(report: Mapping[str, Any], results: pl.DataFrame, folder: Path) -> None:
    """Write report.json, report.html and hypotheses.csv into ``folder``."""
    text = json.dumps(report, ensure_ascii=False, indent=4)
    (folder / "report.json").write_text(text, encoding="utf-8")
    template = files("kaskad.reports").joinpath("report.html").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True).from_string(template)
    (folder / "report.html").write_text(
        page.render(report=report, titles=_titles(report)), encoding="utf-8"
    )
    results.select(~selectors.nested()).write_csv(folder / "hypotheses.csv")


def show_report(report: Mapping[str, Any], console: Console) -> None:
    """Print the figures of every corpus, and example hypotheses beneath their references."""
    corpora = report["corpora"]
    table = Table(title=report["title"], title_justify="left")
    for heading in ("", *corpora):
        table.add_column(heading, justify="right" if heading else "left")
    for name, title in _titles(report).items():
        shares = [part["figures"].get(name) for part in corpora.values()]
        table.add_row(title, *("–" if s is None else f"{100 * s:.2f} %" for s in shares))
    for name, title in (
        ("utterances", "utterances"),
        ("skipped", "skipped"),
        ("audio_seconds_per_second", "audio seconds per second"),
    ):
        table.add_row(title, *(f"{part[name]:.0f}" for part in corpora.values()))
    console.print(table)
    examples = Table(title="for example", title_justify="left", show_lines=True)
    examples.add_column("reference")
    examples.add_column("hypothesis")
    for example in next(iter(corpora.values()))["examples"]:
        right = example["reference"] == example["hypothesis"]
        examples.add_row(
            example["reference"], example["hypothesis"] or "–", style="green" if right else "red"
        )
    console.print(examples)
    if report["skipped"]:
        console.print(f"{len(report['skipped'])} utterances were skipped; skipped.csv says why")


def _titles(report: Mapping[str, Any]) -> dict[str, str]:
    """Of TITLES, those that a corpus of the report has a figure for."""
    given = {name for part in report["corpora"].values() for name in part["figures"]}
    return {name: title for name, title in TITLES.items() if name in given}


def _worst(results: pl.DataFrame) -> pl.DataFrame:
    errors = [
        word_errors([reference], [hypothesis]).rate
        for reference, hypothesis in results.select("reference", "hypothesis").rows()
    ]
    ranked = results.with_columns(wer=pl.Series(errors, dtype=pl.Float64))
    return ranked.filter(pl.col("wer") > 0).sort("wer", descending=True).head(WORST)


def _rows(results: pl.DataFrame) -> list[dict[str, Any]]:
    columns = ("id", "reference", "hypothesis", "speaker", "wer")
    return results.select(name for name in columns if name in results.columns).to_dicts()
