"""Weights & Biases, offline unless told otherwise."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

# Before it is imported, for it reports its errors to its makers from there on.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import numpy as np
import polars as pl
import wandb
from pydantic import ValidationError
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from kaskad.config.messages import ConfigurationError
from kaskad.loggers.forgiving import forgiving
from kaskad.loggers.media_logger import SHOWS, MediaLogger

OFFLINE, ONLINE = "offline", "online"
MODES = (OFFLINE, ONLINE)
STEP = "trainer/global_step"  # under which Lightning logs steps


@forgiving(
    "log_metrics", "log_hyperparams", "finalize", "conclude", *SHOWS, errors=(OSError, wandb.Error)
)
class WeightsAndBiases(WandbLogger, MediaLogger):
    """Writes a run into ``save_dir``/wandb, from where ``wandb sync`` sends it; or, ``online``, to
    the server at once, with the key from ``WANDB_API_KEY`` or ``wandb login``. Without a ``mode``,
    that of ``WANDB_MODE`` counts, else it is offline.

    A run that goes on keeps its id: ``wandb sync --append`` puts the parts of it together. Raises
    ``ConfigurationError``, before any training, where the server cannot be reached.
    """

    def __init__(self, save_dir: str, project: str, name: str, mode: str | None = None) -> None:
        if not os.environ.get("WANDB_MODE"):
            os.environ.pop("WANDB_MODE", None)  # an empty one it would not take
        mode = mode or os.environ.get("WANDB_MODE") or OFFLINE
        if mode not in MODES:
            raise ConfigurationError(
                f"logger.wandb.mode={mode}: wants {' or '.join(MODES)}; null takes that of the "
                f"environment (WANDB_MODE), else {OFFLINE}"
            )
        run = None
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            try:
                run = wandb.init(
                    dir=save_dir,
                    project=project,
                    name=name,
                    id=id_of_run(Path(save_dir)),
                    mode=cast(Literal["offline", "online"], mode),
                    resume="allow" if mode == ONLINE else None,
                    reinit="create_new",  # jobs of a sweep may share a process
                    settings=wandb.Settings(
                        console="off", quiet=True, silent=True, init_timeout=30, disable_git=True
                    ),
                )
            except ValidationError as error:  # whose message may hold the key
                wrong = {f"WANDB_{fault['loc'][0]}".upper() for fault in error.errors()}
                raise ConfigurationError(
                    f"logger.wandb: W&B does not take what the environment says: {', '.join(wrong)}"
                ) from None
            except wandb.Error as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise ConfigurationError(
                    f"logger.wandb.mode={mode}: {reason}\n"
                    "set WANDB_API_KEY and WANDB_BASE_URL, or stay offline (logger.wandb.mode="
                    f"{OFFLINE}) and send the run later: wandb sync <run folder>/wandb/*run-*"
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
