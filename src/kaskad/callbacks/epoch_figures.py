"""The figures of every epoch, for the learning curves of the report."""

from typing import Any

import pytorch_lightning as lightning

from kaskad.reports.learning import COLOURS


class EpochFigures(lightning.Callback):
    """Takes down ``epochs``: the number of each, and those of its figures that the report draws."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self._validated = False  # in this epoch

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs, "validated": self._validated}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs, self._validated = list(state["epochs"]), state["validated"]

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._validated = False

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        known = {
            name: float(trainer.callback_metrics[name])
            for name in COLOURS
            if name in trainer.callback_metrics
            and (self._validated or not name.startswith("validation/"))
        }
        self.epochs.append({"epoch": trainer.current_epoch + 1, **known})


def epoch_figures(trainer: lightning.Trainer) -> list[dict[str, float]]:
    """What ``EpochFigures`` took down of a training; nothing where nobody did."""
    watching = (each for each in trainer.callbacks if isinstance(each, EpochFigures))  # type: ignore[attr-defined]
    return next((each.epochs for each in watching), [])
