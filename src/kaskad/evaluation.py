"""A trained recogniser on its test corpora, and the report on it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from kaskad.callbacks.results import TestResults
from kaskad.callbacks.skipped import SkippedUtterances
from kaskad.data.checks import DataError
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.checkpoints import find_checkpoint, load_recogniser
from kaskad.models.recogniser import Recogniser
from kaskad.reports.environment import environment
from kaskad.reports.footprint import footprint
from kaskad.reports.report import describe, judge, show_report, write_report


def evaluate(config: DictConfig) -> dict[str, float]:
    """Test ``config.checkpoint`` on the test corpora of ``config.data``; returns the figures."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    checkpoint = find_checkpoint(Path(config.checkpoint))
    recogniser, trained = load_recogniser(
        checkpoint, decoder=config.get("decoder"), trusted=config.trusted
    )
    data = instantiate(config.loader)(
        corpora=instantiate(config.data.corpora, _convert_="all"),
        sample_rate=recogniser.features.sample_rate,
        target=recogniser.target,
    )
    recogniser.phone_errors = config.phone_errors
    data.load("test")
    data.connect(recogniser.tokenizer)
    trainer = instantiate(
        config.trainer,
        callbacks=[SkippedUtterances()],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    title = f"{trained['task']} on {HydraConfig.get().runtime.choices['data']}"
    origin = {
        "checkpoint": str(checkpoint.resolve()),
        "environment": environment(trained["seed"]),
    }
    return test_and_report(trainer, recogniser, data, folder, title, origin)


def test_and_report(
    trainer: lightning.Trainer,
    recogniser: Recogniser,
    data: SpeechDataModule,
    folder: Path,
    title: str,
    origin: dict[str, Any],
) -> dict[str, float]:
    """Run the test, write the report into ``folder``, show it, and return its figures.

    ``origin`` is what the report says of where the model comes from, its ``environment`` at least.
    A figure bears the name of its corpus: ``test/wer``. Raises ``DataError``, once the report is
    written, if nothing of a corpus could be read.
    """
    results = TestResults()
    trainer.callbacks.append(results)  # type: ignore[attr-defined]
    trainer.test(recogniser, datamodule=data, verbose=False)
    names = data.of_role("test")
    tables = {name: results.table(i, data.manifests[name]) for i, name in enumerate(names)}
    data.skipped.write_csv(folder / "skipped.csv")
    scores = {
        name: recogniser.score(
            table["reference"].to_list(),
            table["hypothesis"].to_list(),
            data.corpora[name].language,
        )
        for name, table in tables.items()
    }
    judged = {name: judge(table, scores[name]) for name, table in tables.items()}
    lost = dict(data.skipped["corpus"].value_counts().iter_rows())
    report = {
        "title": title,
        **footprint(recogniser),
        "tokenizer": recogniser.tokenizer.summary(),
        **origin,
        "corpora": {
            name: {
                **describe(table, scores[name], results.seconds[i]),
                "skipped": lost.get(name, 0),
            }
            for i, (name, table) in enumerate(judged.items())
        },
        "notes": data.notes(),
        "skipped": data.skipped.to_dicts(),
        "unknown_characters": data.unknown_characters,
    }
    together = pl.concat(
        [table.with_columns(corpus=pl.lit(name)) for name, table in judged.items()],
        how="diagonal_relaxed",
    )
    write_report(report, together, folder)
    show_report(report, Console())
    for name, table in tables.items():
        if table.is_empty():
            raise DataError(f"corpus '{name}': none of its utterances could be read: no figures")
    figures = {"parameters": float(report["parameters"])}
    for name, part in report["corpora"].items():
        figures |= {f"{name}/{figure}": value for figure, value in part["figures"].items()}
        figures[f"{name}/audio_seconds_per_second"] = part["audio_seconds_per_second"]
    return figures
