"""The batch at which a run diverged, once more: debug=replay."""

from pathlib import Path
from typing import cast

import pytorch_lightning as lightning
import torch
from rich.console import Console
from rich.table import Table

from kaskad.callbacks.non_finite import DIVERGED, KEY, describe
from kaskad.data.batch import Batch
from kaskad.models.recogniser import Recogniser
from kaskad.runs.checkpoints import read_checkpoint


class Replay(lightning.Callback):
    """Instead of training, shows the loss of each utterance of the batch that a run in ``folder``
    left when it diverged: as it was then, and as it is now, with that run's weights.

    The run has settings of its own, those of the one before or others that might do better:
    another precision, no augmentation. Its model must be the same.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / DIVERGED

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        recogniser = cast(Recogniser, module)
        checkpoint = read_checkpoint(self.path)
        recogniser.on_load_checkpoint(checkpoint)
        recogniser.load_state_dict(checkpoint["state_dict"])
        table = Table("utterance", "frames", "labels", "loss then", "loss now", "reason")
        left = checkpoint[KEY]
        for fields, losses_then in zip(left["batches"], left["losses"], strict=True):
            batch = Batch(**fields).to(recogniser.device)
            with torch.no_grad(), trainer.precision_plugin.forward_context():
                losses = recogniser.training_losses(batch)["loss"]
            for now, then in zip(
                describe(recogniser, batch, losses), losses_then.tolist(), strict=True
            ):
                figures = f"{now.frames} {now.labels} {then:.4f} {now.loss:.4f}".split()
                table.add_row(now.id, *figures, now.reason)
        console = Console(markup=False, highlight=False)
        console.print(table)
        weights = checkpoint["state_dict"].items()
        spoilt = [name for name, weight in weights if not weight.isfinite().all()]
        console.print("weights that are not finite:", ", ".join(spoilt) or "none")
        raise SystemExit(0)  # nothing is to be trained or tested
