"""Models that were tested on the same utterances, side by side: what changed, and by chance?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from kaskad.metrics.bootstrap import intervals
from kaskad.metrics.classification import Confusions
from kaskad.metrics.error_rates import WORD_ERRORS, ErrorRates
from kaskad.metrics.scores import Scores
from kaskad.metrics.significance import mapsswe, paired_interval
from kaskad.reports.html import TITLES, render_comparison
from kaskad.reports.readable_json import to_json
from kaskad.reports.report import find_results

UTTERANCE = ["corpus", "id"]
MOST_CHANGED = 60  # utterances in comparison.html; changed.csv has all


class ComparisonError(ValueError):
    """Runs that cannot be compared: says why, and what to do."""


def compare(config: DictConfig) -> dict[str, float]:
    """Compare the tested runs ``config.runs``, each with the first, and write what is found.

    Into the folder of the run go comparison.json, comparison.html and changed.csv: utterances in
    which a model heard something else than the first. Returns the differences.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    runs = [find_results(Path(run)) for run in config.runs]
    if len(runs) < 2:
        raise ComparisonError("runs names one run: a comparison wants two at least")
    tables, left_out = shared(runs, [pl.read_parquet(run) for run in runs])
    changed = changes(tables)
    comparison: dict[str, Any] = {
        "runs": [str(run.parents[1]) for run in runs],
        "left_out": left_out,
        "corpora": {
            corpus: side_by_side([scores_of(t.filter(corpus=corpus)) for t in tables])
            for corpus in tables[0]["corpus"].unique(maintain_order=True)
        },
        "changed": changed.height,
    }
    changed.write_csv(folder / "changed.csv")
    (folder / "comparison.json").write_text(to_json(comparison), encoding="utf-8")
    page = render_comparison({**comparison, "examples": changed.head(MOST_CHANGED).to_dicts()})
    (folder / "comparison.html").write_text(page, encoding="utf-8")
    show(comparison, Console())
    return {
        f"{corpus}/{name}/difference_{number}": value
        for corpus, part in comparison["corpora"].items()
        for number, model in enumerate(part["models"][1:], start=2)
        for name, value in model["difference"].items()
    }


def shared(
    runs: Sequence[Path], tables: Sequence[pl.DataFrame]
) -> tuple[list[pl.DataFrame], dict[str, int]]:
    """The utterances that all were tested on, in the order of the first, and how many each leaves.

    An utterance whose reference differs, spelt by another tokenizer, is another utterance. Raises
    ``ComparisonError`` if none is left.
    """
    same = [*UTTERANCE, "reference"]
    common = tables[0].select(same)
    for table in tables[1:]:
        common = common.join(table.select(same), on=same, how="semi", maintain_order="left")
    if common.is_empty():
        raise ComparisonError(
            f"{', '.join(str(run.parents[1]) for run in runs)}: no utterance is in all of them "
            "with the same id, corpus and reference; test them on the same data=…"
        )
    left_out = {
        str(run.parents[1]): table.height - common.height
        for run, table in zip(runs, tables, strict=True)
    }
    joined = [common.join(t, on=same, how="left", maintain_order="left") for t in tables]
    return joined, left_out


def scores_of(table: pl.DataFrame) -> Scores:
    """The scores that ``table`` was written with."""
    return ErrorRates(table) if "words" in table.columns else Confusions(table)


def side_by_side(models: Sequence[Scores]) -> dict[str, Any]:
    """Figures of each model with their intervals; of all but the first, too, how they differ.

    A difference is significant where its interval is clear of 0; on errors of words MAPSSWE has
    its say as well.
    """
    first = models[0].shares()
    described: list[dict[str, Any]] = []
    for model in models:
        shares = model.shares()
        said: dict[str, Any] = {"figures": model.figures(), "intervals": intervals(shares)}
        if described:
            both = [name for name in first if name in shares]
            said["difference"] = {name: shares[name].value - first[name].value for name in both}
            said["difference_intervals"] = {
                name: paired_interval(first[name], shares[name]) for name in both
            }
            said["mapsswe"] = mapsswe(
                *(errors(each.table).to_numpy() for each in (models[0], model))
            )
        described.append(said)
    return {"utterances": models[0].utterances, "models": described}


def errors(table: pl.DataFrame) -> pl.Series:
    """Of words, in each utterance; of labels, where there is one each."""
    if "words" in table.columns:
        return table.select(errors=WORD_ERRORS).to_series()
    return (~table["right"]).cast(pl.Int64).alias("errors")


def changes(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Utterances in which a model did not hear what the first heard, the most changed first.

    ``hypothesis_1``, ``errors_1`` and so on are those of each model; ``change`` is by how many
    words the last of them errs more than the first.
    """
    table = tables[0].select(*UTTERANCE, "reference")
    for number, model in enumerate(tables, start=1):
        heard = model["hypothesis"].alias(f"hypothesis_{number}")
        table = table.with_columns(heard, errors(model).alias(f"errors_{number}"))
    others = [
        pl.col(f"hypothesis_{n}") != pl.col("hypothesis_1") for n in range(2, len(tables) + 1)
    ]
    change = pl.col(f"errors_{len(tables)}") - pl.col("errors_1")
    changed = table.with_columns(change=change).filter(pl.any_horizontal(others))
    return changed.sort(pl.col("change").abs(), descending=True, maintain_order=True)


def show(comparison: dict[str, Any], console: Console) -> None:
    """Print the figures of every corpus, and the differences with their intervals."""
    for corpus, part in comparison["corpora"].items():
        table = Table(title=f"{corpus}: {part['utterances']} utterances", title_justify="left")
        table.add_column("")
        for number in range(1, len(part["models"]) + 1):
            table.add_column(str(number), justify="right")
        for name in (name for name in TITLES if name in part["models"][0]["figures"]):
            cells = []
            for model in part["models"]:
                share = model["figures"].get(name)
                cell = "–" if share is None else f"{100 * share:.2f} %"
                if name in model.get("difference", {}):
                    low, high = (100 * bound for bound in model["difference_intervals"][name])
                    cell += f" ({low:+.2f} to {high:+.2f})"
                cells.append(cell)
            table.add_row(TITLES[name], *cells)
        console.print(table)
    for number, run in enumerate(comparison["runs"], start=1):
        console.print(f"{number}: {run}", highlight=False)
    console.print(
        f"in brackets: the 95 % interval of the difference from 1; {comparison['changed']} "
        "utterances changed: see comparison.html"
    )
