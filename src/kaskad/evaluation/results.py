"""Hypotheses of a test, written to the disk as they are made: memory does not grow, and an
interrupted test can go on."""

import shutil
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning

from kaskad.corpora.table_files import write_table
from kaskad.data.batch import Batch, Skipped
from kaskad.data.checks import DataError
from kaskad.storage.tables import read_parquet

# A row for each utterance, decoded or ``unread``, which says why; each has its share of the
# ``seconds`` that its batch took, reading included.
HYPOTHESES = {
    "id": pl.String(),
    "reference": pl.String(),
    "hypothesis": pl.String(),
    "score": pl.Float64(),
    "confidences": pl.List(pl.Float64()),  # of the words
    "alternatives": pl.List(pl.String()),  # the texts of an n-best list, without the first
    "uncorrected": pl.String(),  # the hypothesis before a corrector looked through it
    "problem": pl.String(),
    "unread": pl.String(),
    "seconds": pl.Float64(),
}
EVERY = 500


class TestResults(lightning.Callback):
    """Writes parts of at least ``every`` utterances into ``folder/<corpus>``, whole batches each.

    ``left`` of a manifest is what no part has. As batches are taken in the order of their length,
    those of the rest are what they would have been: an interrupted test ends like any other.
    """

    def __init__(self, folder: Path, every: int = EVERY) -> None:
        self.folder = folder
        self.every = every
        self._corpus = ""
        self._rows: list[tuple[Any, ...]] = []
        self._since = 0.0

    def on_test_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        *_: Any,
    ) -> None:
        if batch.corpus != self._corpus:
            self._write_part()
            self._corpus = batch.corpus
        now = time.perf_counter()
        seconds = (now - self._since) / max(1, len(batch) + len(batch.skipped))
        self._since = now
        for id_, text, found in zip(batch.ids, batch.texts, outputs["hypotheses"], strict=True):
            sure = [word.confidence for word in found.words]
            others = [other.text for other in found.alternatives]
            written = (found.text, found.score, sure, others, found.uncorrected, found.problem)
            self._rows.append((id_, text, *written, None, seconds))
        for lost in batch.skipped:
            self._rows.append((lost.id, *[None] * 7, lost.reason, seconds))
        if len(self._rows) >= self.every:
            self._write_part()

    def on_test_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._write_part()

    def hypotheses(self, corpus: str) -> pl.DataFrame:
        """All parts of a corpus, in their order; the columns are those of ``HYPOTHESES``."""
        parts = [read_parquet(path) for path in self._parts(corpus)]
        return pl.concat([pl.DataFrame(schema=HYPOTHESES), *parts], how="diagonal")

    def left(self, corpus: str, manifest: pl.DataFrame) -> pl.DataFrame:
        """The utterances that are still to be decoded; raises ``DataError`` if others are now
        in the corpus than when the test began."""
        hypotheses = self.hypotheses(corpus)
        known = hypotheses.join(manifest, on="id", how="semi")
        spoken = known.join(manifest, left_on=["id", "reference"], right_on=["id", "text"])
        if (
            spoken.height + hypotheses["unread"].count() < hypotheses.height
            or known.height < hypotheses.height
        ):
            raise DataError(
                f"corpus '{corpus}' has changed since its test was interrupted; remove "
                f"{self.folder} to test all of it again"
            )
        return manifest.join(hypotheses, on="id", how="anti", maintain_order="left")

    def table(self, corpus: str, manifest: pl.DataFrame) -> pl.DataFrame:
        """The hypotheses of one corpus, in the order of its manifest and with its columns."""
        hypotheses = (
            self.hypotheses(corpus).filter(pl.col("unread").is_null()).drop("unread", "seconds")
        )
        ours = [name for name in hypotheses.columns if name != "id"]  # not an earlier test's
        others = manifest.drop("text", "corpus", "wer", *ours, strict=False)
        table = others.join(hypotheses, on="id", how="inner", maintain_order="left")
        return table if table["uncorrected"].count() else table.drop("uncorrected")

    def unread(self, corpus: str) -> list[Skipped]:
        """What could not be read."""
        lost = self.hypotheses(corpus).filter(pl.col("unread").is_not_null())
        return [Skipped(corpus, *row) for row in lost.select("id", "unread").rows()]

    def seconds(self, corpus: str) -> float:
        """The time that a corpus took."""
        return float(self.hypotheses(corpus)["seconds"].sum())

    def forget(self) -> None:
        """Take the parts away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_part(self) -> None:
        if self._rows:
            part = pl.DataFrame(self._rows, schema=HYPOTHESES, orient="row")
            parts = self._parts(self._corpus)
            number = int(parts[-1].stem) + 1 if parts else 0
            write_table(part, self.folder / self._corpus / f"{number:08}.parquet")
            self._rows.clear()

    def _parts(self, corpus: str) -> list[Path]:
        return sorted((self.folder / corpus).glob("*.parquet"))
