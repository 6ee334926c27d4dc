"""A trained language model on the transcripts of the test corpora, and the report on it."""

from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from rich.console import Console

from kaskad.data.text_datamodule import TextDataModule
from kaskad.evaluation.written import show_figures
from kaskad.models.language_model import LanguageModel
from kaskad.reports.footprint import footprint
from kaskad.reports.readable_json import to_json

FIGURES = ("perplexity", "perplexity_per_label", "out_of_vocabulary_rate")


def measure_and_report(
    trainer: lightning.Trainer,
    model: LanguageModel,
    data: TextDataModule,
    folder: Path,
    title: str,
    origin: dict[str, Any],
) -> dict[str, Any]:
    """Run the test, write report.json into ``folder`` and return the report.

    ``origin`` is what the report says of where the model comes from.
    """
    trainer.test(model, datamodule=data, verbose=False)
    corpora: dict[str, dict[str, Any]] = {
        name: {"sentences": data.tables[name].height, "figures": model.figures(loader)}
        for loader, name in enumerate(data.tests)
    }
    report = {
        "title": title,
        **footprint(model),
        "tokenizer": model.tokenizer.summary(),
        **origin,
        "corpora": corpora,
    }
    (folder / "report.json").write_text(to_json(report), encoding="utf-8")
    return report


def show(report: dict[str, Any], console: Console) -> None:
    """Print the figures of every corpus."""
    show_figures(report, console, FIGURES, "sentences")
