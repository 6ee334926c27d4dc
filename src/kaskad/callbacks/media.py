"""A callback that shows tables, pictures and audio in every logger that can take them."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning

from kaskad.loggers.media_logger import MediaLogger
from kaskad.models.recogniser import Recogniser


def require_count(name: str, value: object) -> None:
    """Raise ``ValueError`` where an option is no whole number from 1 on."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 or more")


class MediaCallback(lightning.Callback):
    """A callback that shows something after a validation, every ``every_n_epochs`` of training."""

    def __init__(self, every_n_epochs: int = 1) -> None:
        require_count("every_n_epochs", every_n_epochs)
        self.every_n_epochs = every_n_epochs
        self._next = 0

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._next = state["next"]

    def show(
        self, trainer: lightning.Trainer, recogniser: Recogniser, loggers: Sequence[MediaLogger]
    ) -> None:
        """Show it in ``loggers``: at least one."""
        raise NotImplementedError

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        due = trainer.current_epoch >= self._next and not trainer.sanity_checking
        loggers = [each for each in trainer.loggers if isinstance(each, MediaLogger)]
        if due and loggers and trainer.is_global_zero and isinstance(module, Recogniser):
            self._next = trainer.current_epoch + self.every_n_epochs
            self.show(trainer, module, loggers)
