"""The learning rate, beside the losses that it brings about."""

from typing import Any

import pytorch_lightning as lightning


class LearningRate(lightning.Callback):
    """Logs ``training/learning_rate``, that of the first group of weights."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: Any
    ) -> None:
        module.log("training/learning_rate", trainer.optimizers[0].param_groups[0]["lr"])
