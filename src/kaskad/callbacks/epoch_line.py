"""One line an epoch, for consoles and logs that show no progress bar."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning

from kaskad.data.batch import Batch, batches_of

log = logging.getLogger(__name__)


class EpochLine(lightning.Callback):
    """Epoch, losses, error rate, audio seconds trained a second, time left.

    It logs the speed as well and, where several corpora train, how often each was gone through.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._samples = 0
        self._met: Counter[str] = Counter()  # utterances, by their corpus
        self._epochs_done = 0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        # A run that goes on within an epoch does not start that epoch again.
        self._run_began = self._began = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        return {"met": dict(self._met)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._met.update(state["met"])

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._began = time.perf_counter()
        self._samples = 0
        self._met.clear()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch | Sequence[Batch],
        batch_idx: int,
    ) -> None:
        for part in batches_of(batch):
            self._samples += int(part.waveform_lengths.sum())
            self._met[part.corpus] += len(part) + len(part.skipped)

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
        repeats = self._repeats(trainer)
        module.log_dict({f"training/repeats/{corpus}": times for corpus, times in repeats.items()})
        figures = trainer.callback_metrics
        shown = [
            f"{label} {100 * figures[name]:.2f} %" if percent else f"{label} {figures[name]:.3f}"
            for label, name, percent in (
                ("loss", "training/loss_epoch", False),
                ("validation loss", "validation/loss", False),
                ("WER", "validation/wer", True),
                ("balanced error", "validation/balanced_error", True),
            )
            if name in figures
        ]
        shown += [f"{corpus} {times:.1f} times" for corpus, times in repeats.items()]
        if "training/audio_seconds_per_second" in figures:
            shown.append(f"{figures['training/audio_seconds_per_second']:.0f} audio seconds/s")
        elapsed = time.perf_counter() - self._run_began
        total = trainer.max_epochs or -1
        if total > 0:
            left = elapsed / self._epochs_done * (total - trainer.current_epoch - 1)
            shown.append(f"{left / 60:.1f} minutes left")
        log.info("epoch %d/%d: %s", trainer.current_epoch + 1, total, ", ".join(shown))

    def _repeats(self, trainer: lightning.Trainer) -> dict[str, float]:
        """How often each corpus was gone through in this epoch, where there are several."""
        manifests = trainer.datamodule.manifests  # type: ignore[attr-defined]
        times = {corpus: met / manifests[corpus].height for corpus, met in self._met.items()}
        return times if len(times) > 1 else {}
