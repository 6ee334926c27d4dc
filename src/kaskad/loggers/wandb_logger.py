"""Weights & Biases, offline unless told otherwise."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

# Before it is imported, for it reports its errors to its makers from there on.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import numpy as np
import polars as pl
import wandb
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from kaskad.loggers.media_logger import MediaLogger

STEP = "trainer/global_step"  # under which Lightning logs steps


class WeightsAndBiases(WandbLogger, MediaLogger):
    """Writes a run into ``save_dir``/wandb, from where ``wandb sync`` sends it; or, ``online``, to
    the server at once, with the key from ``WANDB_API_KEY`` or ``wandb login``.

    A run that goes on keeps its id: ``wandb sync --append`` puts the parts of it together. Raises
    ``ValueError``, before any training, where the server cannot be reached.
    """

    def __init__(
        self, save_dir: str, project: str, name: str, mode: Literal["offline", "online"] = "offline"
    ) -> None:
        run = None
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            try:
                run = wandb.init(
                    dir=save_dir,
                    project=project,
                    name=name,
                    id=id_of_run(Path(save_dir)),
                    mode=mode,
                    resume="allow" if mode == "online" else None,
                    reinit="create_new",  # jobs of a sweep may share a process
                    settings=wandb.Settings(
                        console="off", quiet=True, silent=True, init_timeout=30, disable_git=True
                    ),
                )
            except wandb.Error as error:
                raise ValueError(
                    f"logger.wandb.mode={mode}: {error}; set WANDB_API_KEY and WANDB_BASE_URL, or "
                    "stay offline and send the run later: wandb sync <run folder>/wandb/*run-*"
                ) from error
            run.define_metric(STEP)
            run.define_metric("*", step_metric=STEP, step_sync=True)
        super().__init__(name, save_dir, project=project, experiment=run)

    def show_picture(self, name: str, picture: Tensor, step: int) -> None:
        self._show(name, wandb.Image((255 * picture).byte().numpy()), step)

    def show_audio(self, name: str, waveform: Tensor, sample_rate: int, step: int) -> None:
        self._show(name, wandb.Audio(waveform.numpy(), sample_rate), step)

    def show_table(self, name: str, table: pl.DataFrame, step: int) -> None:
        rows = [list(row) for row in table.rows()]
        self._show(name, wandb.Table([*table.columns], rows), step)

    def show_histogram(self, name: str, values: np.ndarray, step: int) -> None:
        self._show(name, wandb.Histogram(values.tolist()), step)

    def _show(self, name: str, what: Any, step: int) -> None:
        self.experiment.log({name: what, STEP: step})

    def conclude(
        self, settings: Mapping[str, Any], figures: Mapping[str, float], step: int
    ) -> None:
        self.log_metrics(figures, step)
        self.experiment.finish()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        super().finalize(status)
        if status != "success":
            self.experiment.finish(exit_code=1)


def id_of_run(folder: Path) -> str | None:
    """Of the run that was begun in this folder; ``None`` where none was."""
    begun = sorted((folder / "wandb").glob("*run-*-*"))  # <offline->run-<date>_<time>-<id>
    return begun[-1].name.rpartition("-")[2] if begun else None
