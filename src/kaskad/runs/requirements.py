"""What a training needs, asked for before its corpus is read: what is missing costs no hour."""

import math
import shutil
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from kaskad.config.messages import ConfigurationError, innermost_cause
from kaskad.runs.saved_configuration import fault_of, saved_form
from kaskad.runs.slurm import slurm_plugins
from kaskad.runs.trainer import timer
from kaskad.storage.files import require_place

SEEDS = 2**32  # numpy takes no higher ones
SHARED_MEMORY = Path("/dev/shm")
AHEAD = 2  # batches that each process of a DataLoader has ready
# Arguments of Lightning's trainer that have an option of their own here, and which.
ELSEWHERE = {
    "logger": "logger=none, logger=csv or logger=[tensorboard,csv]",
    "callbacks": "callbacks=… or +callbacks.<name>._target_=…",
    "plugins": "strategy and precision have options of their own: trainer=ddp, trainer.precision=…",
    "default_root_dir": "hydra.run.dir=…",
    "enable_checkpointing": "callbacks=none, or callbacks.checkpoint.save_top_k=0",
}

# What Lightning takes without a word, to fail at it later, or to climb where it should descend:
# whole numbers and others, each with the least that it may be. None is Lightning's own choice.
WHOLE = {
    "max_epochs": -1,
    "max_steps": -1,
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "log_every_n_steps": 0,
    "num_sanity_val_steps": -1,
}
LEAST = {"gradient_clip_val": 0, "limit_train_batches": 0, "limit_val_batches": 0}
LEAST |= {"limit_test_batches": 0}
PLAIN_LOSS = "kaskad.models.CTCLoss"  # what a model that chooses nothing has
LIMITS = {"limit_train_batches": "trained", "limit_test_batches": "tested"}


def require_all(config: DictConfig, folder: Path) -> None:
    """Raise ``ConfigurationError``, or ``OSError`` of a disk, for whatever a run would miss."""
    require_options(config)
    require_used_loss(config)
    require_device(config.trainer)
    require_buildable_trainer(config)
    require_disk_space(folder, config.disk_reserve)
    require_places_to_log_to(config.logger)
    require_shared_memory(config)
    require_loadable_model(config)


def require_options(config: DictConfig) -> None:
    """Refuse values that Lightning would take for something else."""
    if type(config.seed) is not int or not 0 <= config.seed < SEEDS:
        raise ConfigurationError(f"seed={config.seed}: wants a number from 0 to {SEEDS - 1}")
    require_number("disk_reserve", config.disk_reserve, 0, float)
    require_number("nearest", config.get("nearest", 0), 0, int)  # which runs of old do not have
    trainer = config.trainer
    timer(trainer)  # whose limit may be none
    for name, instead in ELSEWHERE.items():
        if trainer.get(name) is not None:
            raise ConfigurationError(
                f"trainer.{name}: not an option of the trainer here: {instead}"
            )
    for kind, options in ((int, WHOLE), (float, LEAST)):
        for name, least in options.items():
            if trainer.get(name) is not None:
                require_number(f"trainer.{name}", trainer[name], least, kind)
    if trainer.max_epochs == 0:
        raise ConfigurationError("trainer.max_epochs=0: wants 1 or more")
    for name, missed in LIMITS.items():
        if trainer.get(name) == 0:
            raise ConfigurationError(f"trainer.{name}={trainer[name]}: nothing would be {missed}")
    steps = -1 if trainer.get("max_steps") is None else trainer.max_steps
    if steps == 0:
        raise ConfigurationError(f"trainer.max_steps={steps}: wants 1 or more, or -1 for no limit")
    if trainer.max_epochs is None or trainer.max_epochs < 0:
        ends = steps > 0 or trainer.get("max_time") is not None
        cycle = str(config.get("scheduler", {}).get("_target_", "")).endswith("one_cycle")
        if not ends:
            raise ConfigurationError(
                f"trainer.max_epochs={trainer.max_epochs}: this run would never end; give a number "
                "of epochs, or trainer.max_steps=… or trainer.max_time=DD:HH:MM:SS as well"
            )
        if cycle and steps < 0:
            raise ConfigurationError(
                f"trainer.max_epochs={trainer.max_epochs}: scheduler=one_cycle goes up and down "
                "once over the whole run and must know its length; give a number of epochs, or "
                "trainer.max_steps=…, or take scheduler=plateau or scheduler=none"
            )


def require_used_loss(config: DictConfig) -> None:
    """Refuse another loss than CTC where the model has one of its own, and would not look at it."""
    loss = config.get("loss")  # runs of old have none
    if loss is None or "loss" in config.model or loss["_target_"] == PLAIN_LOSS:
        return
    kind = config.model["_target_"].rpartition(".")[2]
    raise ConfigurationError(
        f"loss: a {kind} has a loss of its own and would not use this one: leave loss= out, or "
        "take a model with a CTC head (model=cnn2d_lstm; model/head@model=ctc)"
    )


def require_number(key: str, value: Any, least: float, kind: type) -> None:
    """Raise ``ConfigurationError`` for what is no number of this ``kind``, or below ``least``."""
    kinds = (int,) if kind is int else (int, float)
    if type(value) not in kinds or not value >= least:  # nor NaN
        whole = "a whole number, " if kind is int else "a number, "
        raise ConfigurationError(f"{key}={value}: wants {whole}{least} or more")


def require_buildable_trainer(config: DictConfig) -> None:
    """Raise ``ConfigurationError`` for what Lightning's trainer, or the optimizer, does not take:
    both are built once, for nothing."""
    silent = {"enable_progress_bar": False, "enable_model_summary": False, "max_time": None}
    alone = {"logger": False, "enable_checkpointing": False, "plugins": slurm_plugins()}
    part = "trainer"
    try:
        instantiate(config.trainer, **silent, **alone)
        part = "optimizer"
        instantiate(config.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    except Exception as error:
        raise ConfigurationError(f"{part}: {innermost_cause(error)}") from error


def require_loadable_model(config: DictConfig) -> None:
    """Raise ``ConfigurationError`` where the model reads the environment: what does is saved as it
    is written, and its checkpoint is loaded where the environment is another."""
    if fault := fault_of(saved_form(config)["model"], "model"):
        raise ConfigurationError(f"{fault}; write the value itself, for it stays in checkpoints")


def require_device(trainer: DictConfig) -> None:
    """Raise ``ConfigurationError`` where the accelerator that is asked for is not there."""
    if trainer.get("accelerator") not in ("gpu", "cuda"):
        return
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = trainer.get("devices", 1)
    asked = devices if isinstance(devices, int) and devices > 0 else 1
    if found < asked:
        known = "no GPU is found" if found == 0 else f"only {found} of them are found"
        raise ConfigurationError(
            f"trainer.accelerator={trainer.accelerator}, trainer.devices={devices}: {known}; look "
            "at nvidia-smi and CUDA_VISIBLE_DEVICES, or train on the processor: trainer=cpu"
        )


def require_disk_space(folder: Path, reserve: float) -> None:
    """Raise ``OSError`` where less than ``reserve`` GB are free for a run in ``folder``."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < reserve:
        raise OSError(
            f"{folder}: {free:.1f} GB are free on this disk, and a run wants {reserve:.1f}; make "
            "room, write elsewhere (hydra.run.dir=…), or ask for less (disk_reserve=…)"
        )


def require_places_to_log_to(loggers: DictConfig) -> None:
    """Raise ``ConfigurationError`` where a logger cannot write into the folder that it is given."""
    for name, logger in zip(map(str, loggers), loggers.values(), strict=True):
        folder = str((logger or {}).get("save_dir") or "")
        if folder and "://" not in folder:  # which a logger may know how to reach
            try:
                require_place(Path(folder, name))
            except OSError as error:
                raise ConfigurationError(f"logger.{name}.save_dir={folder}: {error}") from error


def require_shared_memory(config: DictConfig, place: Path = SHARED_MEMORY) -> None:
    """Raise ``ConfigurationError`` where batches find no room on their way from the processes that
    read audio: PyTorch hands them over in /dev/shm, of which a container has 64 MB."""
    workers = config.datamodule.get("workers") or 0
    seconds = config.datamodule.get("batch_seconds") or 0.0
    if workers == 0 or seconds == 0.0 or not place.is_dir():
        return
    megabytes = math.ceil(workers * AHEAD * seconds * config.features.sample_rate * 4 / 1e6)
    free = shutil.disk_usage(place).free / 1e6
    if free < megabytes:
        raise ConfigurationError(
            f"datamodule.workers={workers}: batches on their way need {megabytes} MB in {place}, "
            f"where {free:.0f} are free; give the container more (docker run --shm-size=1g), take "
            "smaller batches (datamodule.batch_seconds=…), or read audio in this process "
            "(datamodule.workers=0)"
        )
