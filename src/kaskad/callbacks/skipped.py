"""Names and counts the utterances that turn out to be unreadable while a run goes on."""

import logging
from dataclasses import asdict
from typing import Any

import polars as pl
import pytorch_lightning as lightning

from kaskad.data.batch import SKIPPED_SCHEMA, Batch, Skipped

log = logging.getLogger(__name__)
NAMED_ON_THE_CONSOLE = 10


class SkippedUtterances(lightning.Callback):
    """``found`` holds each skipped utterance once, in the order in which they were met."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Skipped] = {}

    def on_train_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Batch, *_: Any
    ) -> None:
        self._note(batch.skipped)

    def on_validation_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Batch, *_: Any
    ) -> None:
        self._note(batch.skipped)

    def on_test_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Batch, *_: Any
    ) -> None:
        self._note(batch.skipped)

    def on_fit_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._sum_up()

    def on_test_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._sum_up()

    def table(self) -> pl.DataFrame:
        """corpus, id and reason of every utterance that was skipped."""
        return pl.DataFrame(list(map(asdict, self.found.values())), schema=SKIPPED_SCHEMA)

    def _note(self, skipped: list[Skipped]) -> None:
        for utterance in skipped:
            key = (utterance.corpus, utterance.id)
            if key in self.found:
                continue
            self.found[key] = utterance
            if len(self.found) <= NAMED_ON_THE_CONSOLE:
                log.warning("skipped an utterance: %s", utterance.reason)

    def _sum_up(self) -> None:
        if len(self.found) > NAMED_ON_THE_CONSOLE:
            more = len(self.found) - NAMED_ON_THE_CONSOLE
            log.warning("… and %d more utterances were skipped; skipped.csv names them", more)
