"""A trained recogniser on its test corpora, and the report on it."""

import warnings
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytorch_lightning as lightning

from kaskad.data.checks import DataError
from kaskad.data.datamodule import SpeechDataModule
from kaskad.evaluation.nearest import nearest_in_training
from kaskad.evaluation.results import TestResults
from kaskad.metrics import corrections
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import Recogniser
from kaskad.reports.breakdown import speakers_of
from kaskad.reports.footprint import footprint
from kaskad.reports.report import attach_scores, describe, worst, write_report
from kaskad.storage.tables import write_csv

PARTS = "decoded"  # in the folder of a report, until that is written


def test_and_report(
    trainer: lightning.Trainer,
    recogniser: Recogniser,
    data: SpeechDataModule,
    folder: Path,
    title: str,
    origin: dict[str, Any],
    nearest: int = 0,
    language: str = "en",
) -> dict[str, Any]:
    """Run the test, write the report into ``folder`` and return it.

    ``origin`` is what the report says of where the model comes from, its ``environment`` at least.
    So many of the ``nearest`` training utterances are shown beside each of the worst; its page is
    in a ``language``.
    """
    results = TestResults(folder / PARTS)
    results.forget()  # of a test with other weights
    return _report(trainer, recogniser, data, results, folder, title, origin, nearest, language)


def figures_of(report: dict[str, Any]) -> dict[str, float]:
    """The figures of a report, each with the name of its corpus: ``test/wer``.

    Raises ``DataError`` if nothing of a corpus could be read.
    """
    figures = {"parameters": float(report["parameters"])}
    for name, part in report["corpora"].items():
        if not part["utterances"]:
            raise DataError(f"corpus '{name}': none of its utterances could be read: no figures")
        figures |= {f"{name}/{figure}": value for figure, value in part["figures"].items()}
        figures[f"{name}/audio_seconds_per_second"] = part["audio_seconds_per_second"]
    return figures


def _report(
    trainer: lightning.Trainer,
    recogniser: Recogniser,
    data: SpeechDataModule,
    results: TestResults,
    folder: Path,
    title: str,
    origin: dict[str, Any],
    nearest: int,
    language: str,
) -> dict[str, Any]:
    """Test what ``results`` does not have yet, and write the report on all."""
    _test(trainer, recogniser, data, results)
    names = data.of_role("test")
    tables = {name: results.table(name, data.manifests[name]) for name in names}
    write_csv(data.skipped, folder / "skipped.csv")
    scores = {
        name: recogniser.score(
            table["reference"].to_list(),
            table["hypothesis"].to_list(),
            data.corpora[name].language,
        )
        for name, table in tables.items()
    }
    scored = {name: attach_scores(table, scores[name]) for name, table in tables.items()}
    close = {}
    if nearest:
        bad = {name: worst(table) for name, table in scored.items()}
        close = nearest_in_training(
            trainer, cast(CTCRecogniser, recogniser), data, bad, nearest, folder
        )
    lost = dict(data.skipped["corpus"].value_counts().iter_rows())
    report = {
        "title": title,
        **footprint(recogniser),
        "tokenizer": recogniser.tokenizer.summary(),
        **origin,
        "corpora": {
            name: {
                **describe(table, scores[name], results.seconds(name), close.get(name)),
                **_corrections(table),
                "of": data.manifests[name].height - len(results.unread(name)),
                "skipped": lost.get(name, 0),
                "language": data.corpora[name].language,
            }
            for name, table in scored.items()
        },
        "notes": data.notes(),
        "skipped": data.skipped.to_dicts(),
        "unknown_characters": data.unknown_characters,
    }
    together = pl.concat(
        [table.with_columns(corpus=pl.lit(name)) for name, table in scored.items()],
        how="diagonal_relaxed",
    )
    write_report(report, together, folder, language)
    results.forget()
    return report


def _corrections(table: pl.DataFrame) -> dict[str, Any]:
    """What a corrector mended and broke, where one looked through the hypotheses."""
    if "uncorrected" not in table.columns:
        return {}
    references, before = (
        table[name].fill_null("").to_list() for name in ("reference", "uncorrected")
    )
    compared = corrections.score(references, before, table["hypothesis"].to_list())
    return {"corrections": corrections.summary(compared, speakers_of(table))}


def _test(
    trainer: lightning.Trainer,
    recogniser: Recogniser,
    data: SpeechDataModule,
    results: TestResults,
) -> None:
    """Run the test on the utterances that ``results`` does not have yet."""
    whole = {name: data.manifests[name] for name in data.of_role("test")}
    left = {name: results.left(name, manifest) for name, manifest in whole.items()}
    for name in whole:
        data.skip(results.unread(name))
    if not any(manifest.height for manifest in left.values()):
        return
    data.manifests |= left
    trainer.callbacks.append(results)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Total length of")  # a corpus that was decoded before
        trainer.test(recogniser, datamodule=data, verbose=False)
    data.manifests |= whole
