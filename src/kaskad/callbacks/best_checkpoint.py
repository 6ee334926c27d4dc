"""best.ckpt: the best by a figure of validation, and among equals by its loss."""

from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

LOSS = "validation/loss"


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best checkpoint by ``monitor``; figures within ``within`` of the best so far are a
    tie, and of a tie the one with the lowest loss on validation is kept.

    A small validation is soon all right, or all but a word: the first checkpoint that got that far
    is not better for it than those that came later. The loss tells them apart.
    """

    def __init__(self, *, monitor: str, within: float = 0.002, **settings: Any) -> None:
        super().__init__(monitor=monitor, save_top_k=1, **settings)
        self.within = within
        self.best_figure: float | None = None
        self.kept_figure: float | None = None
        self.kept_loss = float("inf")

    def state_dict(self) -> dict[str, Any]:
        kept = {"best_figure": self.best_figure, "kept_figure": self.kept_figure}
        return {**super().state_dict(), **kept, "kept_loss": self.kept_loss}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.best_figure = state.get("best_figure")
        self.kept_figure = state.get("kept_figure")
        self.kept_loss = state.get("kept_loss", float("inf"))

    def check_monitor_top_k(
        self, trainer: lightning.Trainer, current: torch.Tensor | None = None
    ) -> bool:
        if current is None or current.isnan():
            return super().check_monitor_top_k(trainer, current)
        sign = 1.0 if self.mode == "min" else -1.0
        figure = sign * float(current)
        loss = float(trainer.callback_metrics.get(LOSS, float("inf")))
        best = figure if self.best_figure is None else min(figure, self.best_figure)
        self.best_figure = best
        ties = figure <= best + self.within
        kept_ties = self.kept_figure is not None and self.kept_figure <= best + self.within
        better = ties and (not kept_ties or loss < self.kept_loss)
        if better:
            self.kept_figure, self.kept_loss = figure, loss
        return better
