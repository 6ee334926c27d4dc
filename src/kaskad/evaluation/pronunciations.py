"""A trained model of pronunciations on the words of the test, and the report on it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
from rich.console import Console

from kaskad.data.pronunciations import PronunciationDataModule
from kaskad.evaluation.written import show_figures
from kaskad.metrics.alignment import count_confusions
from kaskad.metrics.bootstrap import intervals
from kaskad.metrics.pronunciations import shares
from kaskad.models.pronunciation import PronunciationModel
from kaskad.reports.footprint import footprint
from kaskad.reports.readable_json import to_json
from kaskad.storage.files import write_text
from kaskad.storage.tables import write_csv

FIGURES = ("per", "word_accuracy", "candidate_accuracy")
CONFUSIONS = 30  # phones taken for others that a report lists


def measure_and_report(
    trainer: lightning.Trainer,
    model: PronunciationModel,
    data: PronunciationDataModule,
    folder: Path,
    title: str,
    origin: dict[str, Any],
) -> dict[str, Any]:
    """Run the test, write report.json, words.csv and skipped.csv into ``folder``, and return the
    report. ``origin`` is what the report says of where the model comes from."""
    trainer.test(model, datamodule=data, verbose=False)
    corpora: dict[str, dict[str, Any]] = {}
    tables = []
    for loader, name in enumerate(data.tests):
        scored = model.scored(loader)
        found = shares(scored)
        confused = count_confusions(
            scored["reference"].to_list(), scored["hypothesis"].to_list(), "words"
        )
        corpora[name] = {
            "words": scored.height,
            "figures": {figure: each.value for figure, each in found.items()},
            "intervals": intervals(found),
            "confusions": confused.head(CONFUSIONS).to_dicts(),
        }
        tables.append(scored.select(pl.lit(name).alias("corpus"), pl.all()))
    report = {
        "title": title,
        **footprint(model),
        "tokenizer": model.tokenizer.summary(),
        "letters": model.letters.summary(),
        **origin,
        "corpora": corpora,
    }
    write_csv(pl.concat(tables), folder / "words.csv")
    write_csv(data.skipped, folder / "skipped.csv")
    write_text(to_json(report), folder / "report.json")
    return report


def show(report: dict[str, Any], console: Console) -> None:
    """Print the figures of every corpus."""
    show_figures(report, console, FIGURES, "words")
