"""Keeps what a test heard, utterance by utterance, and how long each corpus took."""

import time
from collections import defaultdict
from typing import Any

import polars as pl
import pytorch_lightning as lightning

from kaskad.data.batch import Batch


class TestResults(lightning.Callback):
    """``hypotheses[loader]`` holds (id, reference, hypothesis, score, problem); ``seconds[loader]``
    the time a corpus took, reading included."""

    def __init__(self) -> None:
        self.hypotheses: dict[int, list[tuple[str, str, str, float, str | None]]] = defaultdict(
            list
        )
        self.seconds: dict[int, float] = defaultdict(float)
        self._since = 0.0

    def on_test_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        now = time.perf_counter()
        self.seconds[dataloader_idx] += now - self._since
        self._since = now
        for id_, reference, found in zip(
            batch.ids, batch.texts, outputs["hypotheses"], strict=True
        ):
            self.hypotheses[dataloader_idx].append(
                (id_, reference, found.text, found.score, found.problem)
            )

    def table(self, loader: int, manifest: pl.DataFrame) -> pl.DataFrame:
        """What was heard in one corpus, in the order of its manifest and with its columns."""
        heard = pl.DataFrame(
            self.hypotheses[loader],
            schema={
                "id": pl.String,
                "reference": pl.String,
                "hypothesis": pl.String,
                "score": pl.Float64,
                "problem": pl.String,
            },
            orient="row",
        )
        ours = [name for name in heard.columns if name != "id"]  # not an earlier test's
        others = manifest.drop("text", "corpus", "wer", *ours, strict=False)
        return others.join(heard, on="id", how="inner", maintain_order="left")
