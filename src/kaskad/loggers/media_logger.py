"""What a logger may show besides figures, and callbacks that have something to show."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytorch_lightning as lightning
from torch import Tensor

from kaskad.models.recogniser import Recogniser


class Tracker(ABC):
    """A logger with pages: it shows pictures, sounds, tables and histograms, and how a run ended.

    ``name`` is that of a figure: words between slashes.
    """

    @abstractmethod
    def show_picture(self, name: str, picture: Tensor, step: int) -> None:
        """``picture`` (height, width): 0 is black, 1 is white."""

    @abstractmethod
    def show_audio(self, name: str, waveform: Tensor, sample_rate: int, step: int) -> None:
        """``waveform`` (samples,) in [-1, 1]."""

    @abstractmethod
    def show_table(self, name: str, table: pl.DataFrame, step: int) -> None:
        """A table of texts, to be read."""

    @abstractmethod
    def show_histogram(self, name: str, values: np.ndarray, step: int) -> None:
        """How often which of ``values`` (count,) occur."""

    @abstractmethod
    def conclude(
        self, settings: Mapping[str, Any], figures: Mapping[str, float], step: int
    ) -> None:
        """The last of a run: its figures beside its settings, to compare it with others."""


class Exhibition(lightning.Callback):
    """A callback that shows something after a validation, every ``every_n_epochs`` of training."""

    def __init__(self, every_n_epochs: int = 1) -> None:
        self.every_n_epochs = every_n_epochs
        self._next = 0

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._next = state["next"]

    def show(
        self, trainer: lightning.Trainer, recogniser: Recogniser, trackers: list[Tracker]
    ) -> None:
        """Show it to ``trackers``, of which there is one at least."""
        raise NotImplementedError

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        due = trainer.current_epoch >= self._next and not trainer.sanity_checking
        trackers: list[Tracker] = [each for each in trainer.loggers if isinstance(each, Tracker)]
        if due and trackers and trainer.is_global_zero and isinstance(module, Recogniser):
            self._next = trainer.current_epoch + self.every_n_epochs
            self.show(trainer, module, trackers)


def to_markdown(table: pl.DataFrame) -> str:
    """A table as Markdown has it."""
    rows = [table.columns, ["---"] * table.width, *table.iter_rows()]
    cells = ((str(cell).replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
