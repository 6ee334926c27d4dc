"""The bar of a training in a terminal, which counts epochs as all other messages do: from 1."""

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import RichProgressBar


class EpochBar(RichProgressBar):
    """Lightning's bar, except that its first epoch of four is 1/4, and not 0/3."""

    def _get_train_description(self, current_epoch: int) -> str:
        words = f"Epoch {epoch_of_all(self.trainer)}"
        return words.ljust(len(self.validation_description))


def epoch_of_all(trainer: lightning.Trainer) -> str:
    """The epoch at which a training is, and how many there will be where that is known: 2/4."""
    total = trainer.max_epochs or -1
    return f"{trainer.current_epoch + 1}" + (f"/{total}" if total > 0 else "")
