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
from kaskad.data.datamodule import SpeechDataModule
from kaskad.models.checkpoints import find_checkpoint, load_recogniser
from kaskad.models.ctc_recogniser import CTCRecogniser
from kaskad.reports.environment import environment
from kaskad.reports.report import judge, show_report, write_report


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
    )
    data.load("test")
    data.connect(recogniser.tokenizer)
    trainer = instantiate(config.trainer, logger=False, enable_checkpointing=False)
    title = f"{trained['task']} on {HydraConfig.get().runtime.choices['data']}"
    extra = {"checkpoint": str(checkpoint.resolve())}
    return test_and_report(trainer, recogniser, data, folder, title, trained["seed"], extra)


def test_and_report(
    trainer: lightning.Trainer,
    recogniser: CTCRecogniser,
    data: SpeechDataModule,
    folder: Path,
    title: str,
    seed: int,
    extra: dict[str, Any],
) -> dict[str, float]:
    """Run the test, write the report into ``folder``, show it, and return its figures.

    A figure bears the name of its corpus: ``test/wer``.
    """
    results, watch = TestResults(), SkippedUtterances()
    trainer.callbacks += [results, watch]  # type: ignore[attr-defined]
    trainer.test(recogniser, datamodule=data, verbose=False)
    names = data.of_role("test")
    tables = {name: results.table(i, data.manifests[name]) for i, name in enumerate(names)}
    skipped = data.skipped.extend(watch.table())
    skipped.write_csv(folder / "skipped.csv")
    report = {
        "title": title,
        "parameters": sum(p.numel() for p in recogniser.parameters()),
        **extra,
        "corpora": {
            name: judge(table, data.corpora[name].language, results.seconds[i])
            for i, (name, table) in enumerate(tables.items())
        },
        "skipped": skipped.to_dicts(),
        "unknown_characters": data.unknown_characters,
        "environment": environment(seed),
    }
    together = pl.concat(
        [table.with_columns(corpus=pl.lit(name)) for name, table in tables.items()],
        how="diagonal_relaxed",
    )
    write_report(report, together, folder)
    show_report(report, Console())
    return {
        f"{name}/{figure}": value
        for name, part in report["corpora"].items()
        for figure, value in part["figures"].items()
    }
