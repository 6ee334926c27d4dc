"""Compare tested models: kaskad compare 'runs=[runs/a,runs/b]'."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from kaskad.evaluation.comparison import (
    MOST_CHANGED,
    UTTERANCE,
    ComparisonError,
    changes,
    differing_settings,
    names_of,
    scores_of,
    shared,
    side_by_side,
)
from kaskad.metrics.registry import shown_in
from kaskad.reports.breakdown import speakers_of
from kaskad.reports.html import render_comparison
from kaskad.reports.readable_json import to_json
from kaskad.reports.report import find_results
from kaskad.storage.tables import read_parquet, write_csv


def compare(config: DictConfig) -> dict[str, float]:
    """Compare the tested runs ``config.runs``, each with the first, and write what is found.

    Into the folder of the run go comparison.json, comparison.html and changed.csv: utterances
    for which a model has another hypothesis than the first. Returns the differences.
    """
    folder = Path(config.run_dir)
    runs = [find_results(Path(run)) for run in config.runs]
    if len(runs) < 2:
        raise ComparisonError("runs names one run: a comparison wants two at least")
    tables, left_out = shared(runs, [read_parquet(run) for run in runs])
    changed = changes(tables)
    comparison: dict[str, Any] = {
        "runs": [str(run.parents[1]) for run in runs],
        "names": names_of([run.parents[1] for run in runs]),
        "settings": differing_settings([run.parents[1] for run in runs]),
        "left_out": left_out,
        "corpora": {
            corpus: _compare_on(corpus, tables)
            for corpus in tables[0]["corpus"].unique(maintain_order=True)
        },
        "changed": changed.height,
    }
    write_csv(changed, folder / "changed.csv")
    (folder / "comparison.json").write_text(to_json(comparison), encoding="utf-8")
    examples = changed.head(MOST_CHANGED)
    known = [name for name in ("path", "language") if name in tables[0].columns]
    examples = examples.join(tables[0].select(*UTTERANCE, *known), on=UTTERANCE, how="left")
    page = render_comparison({**comparison, "examples": examples.to_dicts()})
    (folder / "comparison.html").write_text(page, encoding="utf-8")
    show(comparison, Console())
    return {
        f"{corpus}/{name}/difference_{number}": value
        for corpus, part in comparison["corpora"].items()
        for number, model in enumerate(part["models"][1:], start=2)
        for name, value in model["difference"].items()
    }


def _compare_on(corpus: str, tables: Sequence[pl.DataFrame]) -> dict[str, Any]:
    parts = [table.filter(corpus=corpus) for table in tables]
    return side_by_side([scores_of(part) for part in parts], speakers_of(parts[0]))


def show(comparison: dict[str, Any], console: Console) -> None:
    """Print the figures of every corpus, and the differences with their intervals."""
    for corpus, part in comparison["corpora"].items():
        table = Table(title=f"{corpus}: {part['utterances']} utterances", title_justify="left")
        table.add_column("")
        for name in comparison["names"]:
            table.add_column(name, justify="right")
        for name, metric in shown_in("report", part["models"]).items():
            cells = []
            for model in part["models"]:
                share = model["figures"].get(name)
                cell = "–" if share is None else metric.unit.write(share)
                if name in model.get("difference", {}):
                    low, high = (100 * bound for bound in model["difference_intervals"][name])
                    cell += f" ({low:+.2f} to {high:+.2f})"
                cells.append(cell)
            table.add_row(metric.title, *cells)
        console.print(table)
    for setting, values in comparison["settings"].items():
        console.print(f"{setting}: {' | '.join(values)}", highlight=False, markup=False)
    console.print(
        f"in brackets: the 95 % interval of the difference from the first; {comparison['changed']} "
        "utterances changed: see comparison.html"
    )
