"""Where the time of the training steps goes, how fast they are, and the memory they take."""

import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from kaskad.data.batch import Batch, batches_of
from kaskad.runs import distributed

DATA, FORWARD, BACKWARD, REST = PARTS = ("data", "forward", "backward", "rest")


class StepTimes(lightning.Callback):
    """Logs for each epoch, validation left out: ``training/audio_seconds_per_second``; the shares
    of time ``training/time/…``; and the most memory taken so far, in GB, as ``training/memory/…``.
    Of a run of several processes: the audio of all, else what the first one finds.

    ``data`` is what passes between two steps: waiting for a batch, bringing it to the device,
    logging; ``forward`` ends with the loss, ``backward`` with the gradients; ``rest`` is the
    optimiser and what else watches. On a GPU a clock has to wait for it, three times a step.
    """

    def __init__(self) -> None:
        self._last = 0.0
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._samples: Tensor | int = 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        # A run that goes on within an epoch does not start that epoch again.
        self._begin()

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._begin()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch | Sequence[Batch],
        batch_idx: int,
    ) -> None:
        self._lap(DATA, module)
        for part in batches_of(batch):
            self._samples += part.waveform_lengths.sum()

    def on_before_backward(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, loss: Tensor
    ) -> None:
        self._lap(FORWARD, module)

    def on_after_backward(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._lap(BACKWARD, module)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: Any
    ) -> None:
        self._lap(REST, module)

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._last = time.perf_counter()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        total = sum(self._seconds.values())
        samples = distributed.total(torch.as_tensor(self._samples, device=module.device))
        if total > 0.0:
            if samples > 0:  # text has none
                audio = int(samples) / trainer.datamodule.sample_rate  # type: ignore[attr-defined]
                module.log("training/audio_seconds_per_second", audio / total)
            shares = {part: seconds / total for part, seconds in self._seconds.items()}
            module.log_dict({f"training/time/{part}": share for part, share in shares.items()})
        module.log_dict(
            {f"training/memory/{kind}": peak for kind, peak in memory_peaks(module.device).items()}
        )

    def _begin(self) -> None:
        self._last = time.perf_counter()
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._samples = 0

    def _lap(self, part: str, module: lightning.LightningModule) -> None:
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)
        now = time.perf_counter()
        self._seconds[part] += now - self._last
        self._last = now


def memory_peaks(device: torch.device) -> dict[str, float]:
    """The most memory, in GB, that this process had ``resident``, and its tensors on a ``gpu``."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    peaks = {"resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}
    if device.type == "cuda":
        peaks["gpu"] = torch.cuda.max_memory_allocated(device) / 1e9
    return peaks
