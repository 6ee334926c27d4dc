"""Checkpoints that carry their configuration, and loading them without executing anything.

A checkpoint is read with ``weights_only``; the classes that its configuration names must be nets or
parts of a recogniser, of this package or of one that the caller trusts by name.
"""

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.plugins.io import TorchCheckpointIO

from kaskad.models.recogniser import Recogniser

log = logging.getLogger(__name__)

# What only training needs; left out of a recogniser that is loaded to transcribe.
TRAINING_PARTS = ("optimizer", "scheduler", "augment")
# Rooms whose classes a configuration may name: none of them touches anything but tensors and text.
ROOMS = ("audio", "text", "models", "decoding")


# The checkpoints of a run that can go on: the newest, and the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


class CheckpointError(ValueError):
    """A file that cannot be loaded as a recogniser: says why, and what to do."""


class SaveConfig(lightning.Callback):
    """Puts the configuration of the run, as plain dictionaries, into every checkpoint."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        checkpoint["config"] = self.config


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place, and puts it there when it is whole and on the disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.unfinished")
        try:
            with unfinished.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def load_recogniser(
    path: str | Path, *, decoder: DictConfig | None = None, trusted: Sequence[str] = ()
) -> tuple[Recogniser, dict[str, Any]]:
    """Return the recogniser of a checkpoint, ready to transcribe, and the run's configuration.

    ``path`` is a checkpoint or a folder of runs (see ``find_checkpoint``); ``decoder`` replaces
    the decoder it was trained with; ``trusted`` names packages, besides kaskad, whose classes the
    checkpoint may use. Raises ``CheckpointError``.
    """
    checkpoint = read_checkpoint(find_checkpoint(Path(path)))
    config = checkpoint["config"]
    model = {name: part for name, part in config["model"].items() if name not in TRAINING_PARTS}
    if decoder is not None:
        if "decoder" not in model:
            raise CheckpointError(f"{path}: its model has no decoder= to replace; leave that out")
        model["decoder"] = OmegaConf.to_container(decoder, resolve=True)
    recogniser = instantiate_trusted(model, path, trusted)
    try:
        recogniser.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its weights do not fit its configuration: {error}"
        ) from error
    return recogniser.eval(), config


def instantiate_trusted(node: dict[str, Any], path: str | Path, trusted: Sequence[str] = ()) -> Any:
    """Make what ``node``, of the configuration in the checkpoint ``path``, describes.

    Raises ``CheckpointError`` where it names a class outside kaskad and the packages ``trusted``.
    """
    for target in _targets(node):
        _refuse_untrusted(target, trusted, path)
    return instantiate(node)


def find_checkpoint(path: Path) -> Path:
    """Return ``path``, or the best checkpoint of the newest run at or below that folder."""
    if not path.is_dir():
        return path
    found = max(path.rglob("best.ckpt"), key=lambda file: file.stat().st_mtime, default=None)
    if found is None:
        raise CheckpointError(f"{path}: no run in this folder has a checkpoints/best.ckpt")
    log.info("taking the newest checkpoint: %s", found)
    return found


def newest_whole_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint from which a run with this folder of checkpoints can go on, and its path.

    A torn one is told of, and the one before it taken. Raises ``CheckpointError`` without any.
    """
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            return path, read_checkpoint(path)
        except CheckpointError as error:
            if path.exists():
                log.warning("%s; looking for the one before it", error)
    raise CheckpointError(f"{folder}: there is no {LAST} to go on from; begin the run anew")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint's tensors and plain values; raises ``CheckpointError`` on anything else."""
    if not Path(path).is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: holds more than weights and plain values, or is no checkpoint; "
            "nothing of it was executed"
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(f"{path}: torn or no checkpoint: {error}") from error
    if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= checkpoint.keys():
        raise CheckpointError(f"{path}: not a checkpoint of train.py: it has no config and weights")
    return checkpoint


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        for child in node.values():
            yield from _targets(child)
    elif isinstance(node, list):
        for child in node:
            yield from _targets(child)


def _refuse_untrusted(target: str, trusted: Sequence[str], path: str | Path) -> None:
    package, _, rest = target.partition(".")
    ours = package == "kaskad" and rest.split(".")[0] in ROOMS
    if ours or package in trusted:
        found = get_class(target)  # a class, or an error: a function is never called
        # "kaskad.audio.reading.os.…" would start here and end elsewhere.
        if found.__module__.split(".")[0] == package:
            return
    raise CheckpointError(
        f"{path}: its configuration names {target}, which is not a part of a recogniser; "
        f"nothing was executed. If you trust it, name its package: trusted=[{package}]"
    )
