"""Lightning's trainer as a run wants it: its callbacks, loggers, checkpoints and limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ProgressBar, Timer
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from kaskad.config.messages import ConfigurationError
from kaskad.runs.checkpoints import (
    AtomicCheckpointIO,
    ConfigInCheckpoint,
)
from kaskad.runs.progress_bar import EpochBar
from kaskad.runs.slurm import slurm_plugins
from kaskad.runs.terminal import shows_bars


def make_trainer(
    config: DictConfig,
    resolved: dict[str, Any],
    folder: Path,
    watchers: Sequence[lightning.Callback],
) -> lightning.Trainer:
    """Make the trainer, its callbacks and loggers; checkpoints carry ``resolved``."""
    callbacks = [instantiate(node) for node in config.callbacks.values() if node is not None]
    with_bar = config.trainer.enable_progress_bar and shows_bars()
    if with_bar and not any(isinstance(each, ProgressBar) for each in callbacks):
        callbacks.append(EpochBar())
    trainer: lightning.Trainer = instantiate(
        config.trainer,
        callbacks=[ConfigInCheckpoint(resolved), *watchers, timer(config.trainer), *callbacks],
        plugins=[AtomicCheckpointIO(), *slurm_plugins()],
        logger=[instantiate(node) for node in config.logger.values() if node is not None],
        # Not the run folder itself: on Slurm, Lightning loads any hpc_ckpt_*.ckpt that it finds.
        default_root_dir=str(folder / "checkpoints"),
        max_time=None,  # timer has it
        enable_progress_bar=with_bar,
    )
    several = trainer.num_devices * trainer.num_nodes > 1
    if several and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigurationError(
            "the jobs of a sweep have one process each: begin a run of several processes by itself "
            "(without -m; a recipe with hydra.mode=RUN), or take trainer.devices=1"
        )
    return trainer


def bare_trainer(config: DictConfig, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    """A trainer of one process that only tests, and that nobody watches."""
    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_checkpointing": False}
    silent = {"enable_progress_bar": False, "enable_model_summary": False, "max_time": None}
    trainer: lightning.Trainer = instantiate(
        config.trainer, callbacks=callbacks, logger=False, **alone, **silent
    )
    return trainer


def length_of_training(trainer: lightning.Trainer) -> dict[str, Any]:
    """How long the training was, for the report."""
    timer = next(each for each in trainer.callbacks if isinstance(each, Timer))  # type: ignore[attr-defined]
    return {
        "minutes": round(timer.time_elapsed("train") / 60, 2),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
    }


def timer(trainer: DictConfig) -> Timer:
    """Counts the minutes of training; ends it where there is a limit.

    Raises ``ConfigurationError`` for a limit that is none.
    """
    limit = trainer.get("max_time")
    problem = ConfigurationError(
        f"trainer.max_time={limit}: wants days, hours, minutes and seconds in two digits each, "
        "as in trainer.max_time=00:12:30:00"
    )
    try:
        timer = Timer(OmegaConf.to_container(limit) if OmegaConf.is_config(limit) else limit)  # type: ignore[arg-type]
    except (MisconfigurationException, TypeError, AttributeError) as error:
        raise problem from error
    if limit is not None and (timer.time_remaining() or 0) <= 0:
        raise problem
    return timer
