"""For sampler=embedding_graph: what the net makes of each utterance gives the order to come."""

import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as lightning
import torch

from kaskad.data.batch import Batch
from kaskad.data.checks import DataError
from kaskad.data.datamodule import training_loaders
from kaskad.data.dataset import SpeechDataset
from kaskad.data.embedding_index import open_embeddings, seen_rows, walk_through
from kaskad.data.samplers.embedding_graph import EmbeddingGraph, walk_file
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.embeddings import EmbeddingHook
from kaskad.runs import distributed

log = logging.getLogger(__name__)


class EmbeddingOrder(lightning.Callback):
    """Collects an embedding of each utterance as it is trained on, the mean of the encoder's output
    over time, and lays the walk of the next epoch through them. Idle where no order walks.

    Embeddings (float16, memory-mapped) and the walks are files in the folder of the sampler, new
    ones for each epoch: an interrupted run goes on with them. Those of epochs to which no
    checkpoint leads back any more are deleted. Raises ``DataError`` with a second corpus that
    trains, or several processes.
    """

    def __init__(self) -> None:
        self._order: EmbeddingGraph | None = None
        self._hook: EmbeddingHook | None = None
        self._rows: dict[str, int] = {}
        self._embeddings: np.memmap

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        loaders = training_loaders(trainer)
        orders = [cast(StepBatchSampler, each.batch_sampler).order for each in loaders]
        if not any(isinstance(order, EmbeddingGraph) and order.walks for order in orders):
            return
        if len(orders) > 1 or distributed.count() > 1 or not isinstance(module, CTCRecogniser):
            raise DataError(
                "sampler=embedding_graph is for one process, one corpus that trains and a model "
                "with CTC; choose sampler=length_buckets"
            )
        self._order = cast(EmbeddingGraph, orders[0])
        ids = cast(SpeechDataset, loaders[0].dataset).ids
        self._rows = {id_: row for row, id_ in enumerate(ids)}
        self._hook = EmbeddingHook(module.encoder)
        self._open(trainer.current_epoch, module.encoder.dim)

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if self._order is not None:
            self._open(trainer.current_epoch, cast(CTCRecogniser, module).encoder.dim)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        means = self._hook.take() if self._hook is not None else None
        if means is not None and len(batch):
            rows = [self._rows[id_] for id_ in batch.ids]
            self._embeddings[rows] = means.float().cpu().numpy()

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if self._order is not None:
            self._embeddings.flush()  # with them on the disk, too, it goes on after a power cut

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if self._order is None:
            return
        epoch, folder = trainer.current_epoch, self._order.folder
        seen = seen_rows(self._embeddings)
        threads = torch.get_num_threads()
        walk = walk_through(self._embeddings, seen, self._order.seed, threads=threads)
        np.save(walk_file(folder, epoch + 1), walk)
        if len(seen):
            log.info("the next epoch walks through the embeddings of %d utterances", len(seen))
        else:
            log.warning("no utterance has an embedding: the order of the next epoch is random")
        # Until the next epoch has a checkpoint, the one before the last may be of epoch - 1.
        for old in (self._embeddings_file(epoch - 2), walk_file(folder, epoch - 2)):
            old.unlink(missing_ok=True)

    def teardown(self, *_: Any, **__: Any) -> None:
        if self._hook is not None:
            self._hook.remove()
        self._order = self._hook = None

    def _open(self, epoch: int, dim: int) -> None:
        """The embeddings of this epoch; of one that was interrupted, as far as they go."""
        self._embeddings = open_embeddings(self._embeddings_file(epoch), (len(self._rows), dim))

    def _embeddings_file(self, epoch: int) -> Path:
        assert self._order is not None
        return self._order.folder / f"embeddings-{epoch}.npy"
