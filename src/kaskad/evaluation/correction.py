"""A trained model of corrections on the hypotheses of the test, and the report on it."""

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
from rich.console import Console

from kaskad.data.corrections import CorrectionDataModule
from kaskad.data.edits import edits_between
from kaskad.evaluation.written import show_figures
from kaskad.metrics.bootstrap import intervals
from kaskad.metrics.corrections import shares, summary
from kaskad.models.corrector import Corrector
from kaskad.reports.breakdown import speakers_of
from kaskad.reports.footprint import footprint
from kaskad.reports.readable_json import to_json
from kaskad.reports.report import show_corrections
from kaskad.storage.files import write_text
from kaskad.storage.tables import write_csv

FIGURES = ("wer_uncorrected", "wer", "mended", "broken")


def measure_and_report(
    trainer: lightning.Trainer,
    model: Corrector,
    data: CorrectionDataModule,
    folder: Path,
    title: str,
    origin: dict[str, Any],
) -> dict[str, Any]:
    """Run the test, write report.json and corrections.csv into ``folder``, and return the report.

    ``origin`` is what the report says of where the model comes from. ``within_reach`` is how many
    of the sentences that are wrong the edits of the model can mend at all.
    """
    trainer.test(model, datamodule=data, verbose=False)
    corpora: dict[str, dict[str, Any]] = {}
    tables = []
    for loader, name in enumerate(data.tests):
        speakers = data.tables[name].select("id", "speaker")
        scored = model.scored(loader).join(speakers, on="id", how="left", maintain_order="left")
        groups = speakers_of(scored)
        found = shares(scored)
        wrong = scored.filter(pl.col("errors_before") > 0)
        texts = wrong["hypothesis"].to_list(), wrong["reference"].to_list()
        corpora[name] = {
            "sentences": scored.height,
            "empty": scored.filter(hypothesis="").height,
            "wrong": wrong.height,
            "within_reach": sum(
                each.complete for each in edits_between(*texts, model.tokenizer.labels)
            ),
            "figures": {figure: each.value for figure, each in found.items()},
            "intervals": intervals(found, groups),
            "corrections": summary(scored, groups),
        }
        tables.append(scored.select(pl.lit(name).alias("corpus"), pl.all()))
    report = {
        "title": title,
        **footprint(model),
        "tokenizer": model.tokenizer.summary(),
        "letters": model.letters.summary(),
        "margin": margin if math.isfinite(margin := float(model.margin)) else None,
        **origin,
        "corpora": corpora,
    }
    write_csv(pl.concat(tables), folder / "corrections.csv")
    write_text(to_json(report), folder / "report.json")
    return report


def show(report: dict[str, Any], console: Console) -> None:
    """Print the figures of every corpus, and what was mended and broken."""
    show_figures(report, console, FIGURES, "sentences")
    show_corrections(report, console)
