"""best.ckpt: the weights with the best validation figure so far, and the runners-up beside it."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from kaskad.callbacks.averaging import mean_weights
from kaskad.config.messages import ConfigurationError, require_figure
from kaskad.metrics.registry import METRICS, higher_is_better
from kaskad.runs.checkpoints import AtomicCheckpointIO, read_checkpoint
from kaskad.runs.folder import BEST

log = logging.getLogger(__name__)

AVERAGE = "average.ckpt"
LOSS = "validation/loss"
FIGURES = "figures"  # the validation figures of a checkpoint stand under this name in it


class BestCheckpoint(ModelCheckpoint):
    """Keeps the ``save_top_k`` checkpoints with the best ``monitor`` in ``dirpath`` (-1: all).

    ``best.ckpt`` is always the best of them. Where several are kept, each has its epoch, step and
    figure in its name, and ``best.ckpt`` is another name of the best. Every checkpoint holds all
    validation figures of its epoch. ``mode``: whether the least (min) or the most (max) is best;
    ``None`` takes what the figure is for: the highest accuracy, the lowest of all else. With
    ``try_mean``, ``take_best`` also tries the mean of the weights of all that are kept.

    Where one checkpoint is kept, figures ``within`` of the best so far are a tie, and of a tie the
    one with the lowest loss on validation is kept: a small validation is soon all right, or all but
    a word, and the first checkpoint that got that far is not better for it than later ones.
    """

    def __init__(
        self,
        dirpath: str,
        monitor: str,
        mode: Literal["min", "max"] | None = None,
        save_top_k: int = 1,
        try_mean: bool = False,
        within: float = 0.002,
    ) -> None:
        if not isinstance(monitor, str) or type(save_top_k) is not int or save_top_k < -1:
            raise ConfigurationError(
                f"callbacks.checkpoint: monitor={monitor}, save_top_k={save_top_k}: wants a figure "
                "of validation, such as validation/wer, and a whole number, -1 (all) or more; to "
                "keep nothing: callbacks.checkpoint=null"
            )
        if isinstance(within, bool) or not isinstance(within, int | float) or not within >= 0:
            raise ConfigurationError(
                f"callbacks.checkpoint.within={within}: wants 0 or more, such as 0.002"
            )
        self.try_mean = try_mean
        self.within = within
        self.best_figure: float | None = None
        self.kept_figure: float | None = None
        self.kept_loss = float("inf")
        name = (
            f"epoch_{{epoch:03d}}-step_{{step:06d}}-{monitor.rpartition('/')[2]}_{{{monitor}:.4f}}"
        )
        super().__init__(
            dirpath=dirpath,
            filename=Path(BEST).stem if save_top_k == 1 else name,
            monitor=monitor,
            mode=mode or ("max" if higher_is_better(monitor) else "min"),
            save_top_k=save_top_k,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )

    def check_monitor_top_k(
        self, trainer: lightning.Trainer, current: torch.Tensor | None = None
    ) -> bool:
        """Whether this validation is one of the best: of one that is kept, also by its loss."""
        if self.save_top_k != 1 or current is None or current.isnan():
            return super().check_monitor_top_k(trainer, current)
        figure = float(current) if self.mode == "min" else -float(current)
        loss = float(trainer.callback_metrics.get(LOSS, float("inf")))
        best = figure if self.best_figure is None else min(figure, self.best_figure)
        self.best_figure = best
        ties = figure <= best + self.within
        kept_ties = self.kept_figure is not None and self.kept_figure <= best + self.within
        better = ties and (not kept_ties or loss < self.kept_loss)
        if better:
            self.kept_figure, self.kept_loss = figure, loss
        return better

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, module)
        monitor = str(self.monitor)
        if not trainer.num_sanity_val_steps and not monitor.startswith(LOSS):  # else it is known
            known = [f"validation/{name}" for name in (*METRICS, "loss")]
            require_figure(monitor, known, "callbacks.checkpoint.monitor")

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        if trainer.sanity_checking:  # before the first step
            option = "callbacks.checkpoint.monitor"
            require_figure(str(self.monitor), validation_figures(trainer), option)
        super().on_validation_end(trainer, module)
        self._name_the_best(trainer)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        super().on_train_epoch_end(trainer, module)
        self._name_the_best(trainer)

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        checkpoint[FIGURES] = validation_figures(trainer)

    def state_dict(self) -> dict[str, Any]:
        kept = {"best_figure": self.best_figure, "kept_figure": self.kept_figure}
        return {**super().state_dict(), **kept, "kept_loss": self.kept_loss}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what was kept, also where the run folder has been moved since."""
        self.best_figure = state.get("best_figure")
        self.kept_figure = state.get("kept_figure")
        self.kept_loss = state.get("kept_loss", float("inf"))
        here = Path(str(self.dirpath))

        def moved(path: str) -> str:
            return str(here / Path(path).name) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        kept = {moved(path): figure for path, figure in state["best_k_models"].items()}
        state = {**state, **{name: moved(state[name]) for name in paths}, "best_k_models": kept}
        super().load_state_dict({**state, "dirpath": self.dirpath})

    def _name_the_best(self, trainer: lightning.Trainer) -> None:
        """Make best.ckpt another name of the best checkpoint, with no moment without one."""
        best, named = Path(self.best_model_path), Path(str(self.dirpath), BEST)
        if not trainer.is_global_zero or not best.is_file() or best.name == BEST:
            return
        if named.exists() and named.samefile(best):
            return
        unfinished = named.with_name(f"{BEST}.unfinished")
        unfinished.unlink(missing_ok=True)
        try:
            os.link(best, unfinished)
        except OSError:  # a disk without links
            shutil.copyfile(best, unfinished)
        unfinished.replace(named)


def best_checkpoint(trainer: lightning.Trainer) -> ModelCheckpoint | None:
    """What has chosen the best checkpoint of a run; None where none was written."""
    callback = trainer.checkpoint_callback
    chosen = isinstance(callback, ModelCheckpoint) and callback.best_model_path
    return callback if chosen else None  # type: ignore[return-value]


def chosen_figures(trainer: lightning.Trainer) -> dict[str, float]:
    """All validation figures of the checkpoint that was chosen; without any, the last ones."""
    checkpoint = best_checkpoint(trainer)
    if checkpoint is None:
        return validation_figures(trainer)
    figures: dict[str, float] = read_checkpoint(checkpoint.best_model_path).get(FIGURES, {})
    if checkpoint.best_model_score is not None:
        return {str(checkpoint.monitor): float(checkpoint.best_model_score), **figures}
    return figures or validation_figures(trainer)  # Lightning's own checkpoint has none


def take_best(
    trainer: lightning.Trainer,
    model: lightning.LightningModule,
    validate: Callable[[], Mapping[str, float]],
) -> dict[str, Any]:
    """Load the best weights into ``model``; returns which file, and its figure on validation.

    ``validate`` is asked for the figures of the mean of several checkpoints, where it is to be
    tried; the mean is kept as average.ckpt. It is asked for those of the last weights where the run
    ended, by its time, before its first validation.
    """
    checkpoint = best_checkpoint(trainer)
    if checkpoint is None:
        log.warning("no checkpoint was written: the weights of the last step are tested")
        if chosen_figures(trainer) or not trainer.enable_validation:
            return {}
        return {"validation": _rounded(validate())}
    saved = read_checkpoint(checkpoint.best_model_path)
    path, figures = Path(checkpoint.best_model_path), chosen_figures(trainer)
    model.load_state_dict(saved["state_dict"])
    taken: dict[str, Any] = {}
    kept = [*checkpoint.best_k_models]
    if getattr(checkpoint, "try_mean", False) and len(kept) > 1:
        kept.sort(key=lambda each: each != str(path))
        mean = saved | {"state_dict": mean_weights(kept)}
        model.load_state_dict(mean["state_dict"])
        found = {name: float(figure) for name, figure in validate().items()}
        taken["mean"] = {"of": [Path(each).name for each in kept], "validation": _rounded(found)}
        monitor = str(checkpoint.monitor)
        if _is_better(found[monitor], figures[monitor], checkpoint.mode):
            path, figures = path.with_name(AVERAGE), found
            AtomicCheckpointIO().save_checkpoint(mean | {FIGURES: found}, path)
        else:
            model.load_state_dict(saved["state_dict"])
    taken |= {"checkpoint": str(path), "best_epoch": saved["epoch"] + 1}
    if checkpoint.monitor is not None:
        taken["best"] = {checkpoint.monitor: round(figures[checkpoint.monitor], 6)}
    return {**taken, "validation": _rounded(figures)}


def was_pruned(trainer: lightning.Trainer) -> bool:
    """Whether `Pruning`, which is not imported here since it needs Optuna, ended a run."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return any(getattr(each, "pruned", False) for each in callbacks)


def _is_better(figure: float, other: float, mode: str) -> bool:
    return figure > other if mode == "max" else figure < other


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in figures.items()}


def validation_figures(trainer: lightning.Trainer) -> dict[str, float]:
    """All figures of the newest validation, by the names of the loggers."""
    return {
        name: float(figure)
        for name, figure in trainer.callback_metrics.items()
        if name.startswith("validation/")
    }
