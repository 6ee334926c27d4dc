"""How a run stands, for those who tell of it: which epoch, the best so far, the time left."""

import math
import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import ModelCheckpoint

from kaskad.callbacks.notifications.learning_curve import VALIDATION
from kaskad.models.module import VALIDATED_IN
from kaskad.runs.progress_bar import epoch_of_all


class TimeLeft:
    """How fast a run trains, from its step at this moment on."""

    def __init__(self, trainer: lightning.Trainer) -> None:
        self.steps = trainer.estimated_stepping_batches
        self._first_step = trainer.global_step
        self._began = time.monotonic()

    def minutes_left(self, step: int) -> float | None:
        """As long as the steps to come would take if they were like those up to ``step``."""
        done, left = step - self._first_step, self.steps - step
        if done <= 0 or not math.isfinite(left):
            return None
        return (time.monotonic() - self._began) / done * left / 60

    def time_left(self, step: int) -> list[str]:
        """That in words, where it is known."""
        minutes = self.minutes_left(step)
        return [] if minutes is None else [f"{minutes:.1f} minutes left"]


def epoch_in_words(trainer: lightning.Trainer) -> str:
    return f"epoch {epoch_of_all(trainer)}".replace("/", " of ")


def figures_of(trainer: lightning.Trainer, epoch: int) -> dict[str, float]:
    """What was found in an epoch, the newest that has ended; Lightning keeps the figures of a
    validation until the next, so those of an earlier one are left out."""
    figures = trainer.callback_metrics
    validated = figures.get(VALIDATED_IN) == epoch
    return {
        name: float(figure)
        for name, figure in figures.items()
        if validated or not name.startswith("validation/")
    }


def chosen_checkpoint(trainer: lightning.Trainer) -> ModelCheckpoint | None:
    """What chooses the best checkpoint of a run."""
    callback = trainer.checkpoint_callback
    return callback if isinstance(callback, ModelCheckpoint) else None


def monitored(trainer: lightning.Trainer) -> str:
    """The figure by which a checkpoint is chosen, the loss where none is."""
    checkpoint = chosen_checkpoint(trainer)
    return (checkpoint and checkpoint.monitor) or VALIDATION


def best_so_far(trainer: lightning.Trainer, figures: Mapping[str, Any]) -> list[str]:
    """The best of the monitored figure, that among ``figures`` of the last epoch included."""
    checkpoint = chosen_checkpoint(trainer)
    if checkpoint is None:
        return []
    # The checkpoint of this epoch may be yet to come.
    both = [checkpoint.best_model_score, figures.get(checkpoint.monitor or "")]
    known = [float(figure) for figure in both if figure is not None]
    if not known:
        return []
    best = max(known) if checkpoint.mode == "max" else min(known)
    return [f"best {checkpoint.monitor} so far {best:.4g}"]
