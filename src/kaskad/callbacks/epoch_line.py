"""One line an epoch, for consoles and logs that show no progress bar."""

import logging
import time

import pytorch_lightning as lightning

from kaskad.data.batch import Batch

log = logging.getLogger(__name__)


class EpochLine(lightning.Callback):
    """Epoch, losses, WER, audio seconds trained a second, time left; logs the speed as well."""

    def __init__(self) -> None:
        self._began = 0.0
        self._samples = 0
        self._epochs_done = 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._run_began = time.perf_counter()

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._began = time.perf_counter()
        self._samples = 0

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self._samples += int(batch.waveform_lengths.sum())

    def on_validation_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        # Validation runs inside the training epoch: the speed is that of training alone.
        if not trainer.sanity_checking:
            elapsed = time.perf_counter() - self._began
            rate = trainer.datamodule.sample_rate  # type: ignore[attr-defined]
            module.log("training/audio_seconds_per_second", self._samples / rate / elapsed)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._epochs_done += 1
        figures = trainer.callback_metrics
        shown = [
            f"{label} {100 * figures[name]:.2f} %" if percent else f"{label} {figures[name]:.3f}"
            for label, name, percent in (
                ("loss", "training/loss_epoch", False),
                ("validation loss", "validation/loss", False),
                ("WER", "validation/wer", True),
            )
            if name in figures
        ]
        if "training/audio_seconds_per_second" in figures:
            shown.append(f"{figures['training/audio_seconds_per_second']:.0f} audio seconds/s")
        elapsed = time.perf_counter() - self._run_began
        total = trainer.max_epochs or -1
        if total > 0:
            left = elapsed / self._epochs_done * (total - trainer.current_epoch - 1)
            shown.append(f"{left / 60:.1f} minutes left")
        log.info("epoch %d/%d: %s", trainer.current_epoch + 1, total, ", ".join(shown))
