"""The longest batch and the one with the most characters, tried first, so that a run that would
end for want of memory ends at once."""

import logging
from collections.abc import Iterator
from typing import cast

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.memory import is_oom_error
from torch.utils.data import DataLoader

from kaskad.data.batch import Batch
from kaskad.data.checks import DataError
from kaskad.data.datamodule import SpeechDataModule, training_loaders
from kaskad.data.dataset import SpeechDataset
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.models.recogniser import Recogniser
from kaskad.runs import distributed
from kaskad.runs.random_states import random_states, set_random_states

log = logging.getLogger(__name__)


class HardestBatches(lightning.Callback):
    """Before training, takes the batch of each corpus with the most seconds, and the one with the
    most characters, padding included, forwards and backwards through the net. It leaves no trace:
    weights, buffers and random states are what they were.

    They are batches of the first passage through a corpus, as augmentation draws for it. Others may
    be longer: by a quarter with augment=full, which may slow speed and tempo by a tenth each.
    Raises ``DataError`` where the memory is not enough. Of data that is not speech none is tried.
    """

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if not isinstance(trainer.datamodule, SpeechDataModule):  # type: ignore[attr-defined]
            return
        random = random_states()
        buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
        try:
            for loader in training_loaders(trainer):
                for name, batch in hardest(loader):
                    _try(name, batch, trainer, cast(Recogniser, module))
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)
            set_random_states(random)


def hardest(loader: DataLoader) -> Iterator[tuple[str, Batch]]:
    """The share that this process has in the hardest batches, and what they are called."""
    steps, dataset = (
        cast(StepBatchSampler, loader.batch_sampler),
        cast(SpeechDataset, loader.dataset),
    )
    batches = steps.order.plan(0)
    measures = {
        "longest batch": steps.order.durations,
        "batch with the most characters": dataset.texts.str.len_chars().to_numpy(),
    }
    for name, measure in measures.items():
        hard = max(batches, key=lambda rows: len(rows) * measure[rows].max(initial=0))
        share = hard[distributed.rank() :: distributed.count()].tolist()
        assert loader.collate_fn is not None
        yield name, loader.collate_fn([dataset[0, row] for row in share])


def _try(name: str, batch: Batch, trainer: lightning.Trainer, recogniser: Recogniser) -> None:
    samples = len(batch) * int(batch.waveform_lengths.max()) if len(batch) else 0
    characters = max(map(len, batch.texts), default=0)
    data: SpeechDataModule = trainer.datamodule  # type: ignore[attr-defined]
    size = f"{len(batch)} utterances, {samples / data.sample_rate:.1f} s with padding"
    which = f"the {name} of corpus '{batch.corpus}' ({size}, at most {characters} characters)"
    try:
        with trainer.precision_plugin.forward_context():
            losses = recogniser.training_losses(batch.to(recogniser.device))["loss"]
        losses = losses[losses.isfinite()]
        if len(losses):
            # Not backward(), which would synchronise several processes.
            weights = [weight for weight in recogniser.parameters() if weight.requires_grad]
            torch.autograd.grad(losses.mean(), weights, allow_unused=True)
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, MemoryError | torch.OutOfMemoryError) or is_oom_error(error)):
            raise
        alone = f"datamodule.max_seconds (now {data.max_seconds})"
        together = f"datamodule.batch_seconds (now {data.batch_seconds})"
        raise DataError(
            f"{which} does not fit into the memory; lower {together if len(batch) > 1 else alone}, "
            "or take a smaller model"
        ) from error
    log.info("%s fits into the memory", which)
