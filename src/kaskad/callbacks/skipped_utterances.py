"""Names and counts the utterances that turn out to be unreadable while a run goes on."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

import polars as pl
import pytorch_lightning as lightning

from kaskad.data.batch import Batch, Skipped, batches_of
from kaskad.data.checks import DataError
from kaskad.data.datamodule import SpeechDataModule
from kaskad.runs import distributed

log = logging.getLogger(__name__)
NAMED_ON_THE_CONSOLE = 10


class SkippedUtterances(lightning.Callback):
    """Adds each of them once to ``skipped`` of the data module.

    Raises ``DataError`` at the end of an epoch that lost more of a corpus than its ``max_skipped``.
    """

    def __init__(self) -> None:
        self.skipped: dict[tuple[str, str], Skipped] = {}
        self.skipped_before: list[Skipped] = []  # the run was interrupted

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": [asdict(lost) for lost in self.skipped.values()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.skipped_before = [Skipped(**lost) for lost in state.get("skipped", [])]
        self.skipped = {(lost.corpus, lost.id): lost for lost in self.skipped_before}

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        _data(trainer).skip(self.skipped_before)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch | Sequence[Batch],
        *_: Any,
    ) -> None:
        for part in batches_of(batch):
            self._note(trainer, part.skipped)

    def on_validation_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Batch, *_: Any
    ) -> None:
        self._note(trainer, batch.skipped)

    def on_test_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, batch: Batch, *_: Any
    ) -> None:
        self._note(trainer, batch.skipped)

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._refuse_too_many(trainer)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._refuse_too_many(trainer)

    def _note(self, trainer: lightning.Trainer, skipped: Iterable[Skipped]) -> None:
        new = [lost for lost in skipped if (lost.corpus, lost.id) not in self.skipped]
        for lost in new:
            self.skipped[lost.corpus, lost.id] = lost
            if len(self.skipped) <= NAMED_ON_THE_CONSOLE:
                log.warning("skipped an utterance: %s", lost.reason)
            elif len(self.skipped) == NAMED_ON_THE_CONSOLE + 1:
                log.warning("… and more: skipped.csv will name them all")
        if new:
            _data(trainer).skip(new)

    def _refuse_too_many(self, trainer: lightning.Trainer) -> None:
        self._note(trainer, chain(*distributed.gathered([*self.skipped.values()])))
        data = _data(trainer)
        for name, manifest in (data.manifests | data.training_tables()).items():
            lost = sum(corpus == name for corpus, _ in self.skipped)
            if lost > data.max_skipped * manifest.height:
                reasons = data.skipped.filter(pl.col("corpus") == name)["reason"]
                raise DataError(
                    f"corpus '{name}': {lost} of {manifest.height} utterances could not be read "
                    f"({'; '.join(reasons.tail(lost).head(3))}); mend them, or allow more with "
                    f"datamodule.max_skipped (now {data.max_skipped})"
                )


def _data(trainer: lightning.Trainer) -> SpeechDataModule:
    return trainer.datamodule  # type: ignore[attr-defined]
