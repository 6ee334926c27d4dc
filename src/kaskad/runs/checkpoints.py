"""What was trained, loaded from its checkpoint without executing anything of the file.

A checkpoint is read with ``weights_only``; the classes that its configuration names must be nets or
parts of a recogniser, of this package or of one that the caller trusts by name.
"""

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from hydra.utils import get_class, get_object, instantiate
from pytorch_lightning.plugins.io import TorchCheckpointIO

from kaskad.runs.folder import LAST, PREVIOUS

log = logging.getLogger(__name__)

# What only training needs; left out of a model that is loaded to be used.
TRAINING_PARTS = ("optimizer", "scheduler", "augment")
# Rooms whose classes a configuration may name: none of them touches anything but tensors and text.
ROOMS = ("audio", "text", "models", "decoding")


class CheckpointError(ValueError):
    """A file that cannot be loaded as what it should be: says why, and what to do."""


def find_checkpoint(path: Path) -> Path:
    """Return ``path``, or the best checkpoint of the newest run at or below that folder."""
    if not path.is_dir():
        return path
    found = max(path.rglob("best.ckpt"), key=lambda file: file.stat().st_mtime, default=None)
    if found is None:
        raise CheckpointError(f"{path}: no run in this folder has a checkpoints/best.ckpt")
    log.info("taking the newest checkpoint: %s", found)
    return found


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
    except Exception as error:  # a reader of torn bytes may fail in any way
        raise CheckpointError(f"{path}: torn or no checkpoint: {error}") from error
    if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= checkpoint.keys():
        raise CheckpointError(f"{path}: not a checkpoint of train.py: it has no config and weights")
    return checkpoint


def load_model(
    path: str | Path, *, trusted: Sequence[str] = (), **parts: Any
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Return the model of a checkpoint, ready to be used, and the configuration of its run.

    ``parts`` take the place of those in its configuration; ``trusted`` names packages, besides
    kaskad, whose classes it may use. Raises ``CheckpointError``.
    """
    checkpoint = read_checkpoint(path)
    config: dict[str, Any] = checkpoint["config"]
    node = {name: part for name, part in config["model"].items() if name not in TRAINING_PARTS}
    if unknown := parts.keys() - node.keys():
        name = min(unknown)
        raise CheckpointError(f"{path}: its model has no {name}= to replace; leave that out")
    model: torch.nn.Module = instantiate_trusted(node | parts, path, trusted)
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its weights do not fit its configuration: {error}"
        ) from error
    return model.eval(), config


def instantiate_trusted(node: dict[str, Any], path: str | Path, trusted: Sequence[str] = ()) -> Any:
    """Make what ``node``, of the configuration in the checkpoint ``path``, describes.

    Raises ``CheckpointError`` where it names a class outside kaskad and the packages ``trusted``.
    """
    for target in _targets(node):
        _refuse_untrusted(target, trusted, path)
    return instantiate(node)


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
    room, _, name = rest.partition(".")
    if package == "kaskad" and room in ROOMS:
        if name in import_module(f"kaskad.{room}").__all__:
            if isinstance(get_object(target), type):  # a function is never called
                return
        elif "." in name:
            raise CheckpointError(
                f"{path}: made by an earlier Kaskad, whose checkpoints named files ({target}); "
                "train the model again, or load it with the version that made it"
            )
    # "trusted.module.os.…" would start here and end elsewhere.
    elif package in trusted and get_class(target).__module__.split(".")[0] == package:
        return
    raise CheckpointError(
        f"{path}: its configuration names {target}, which is not a part of a recogniser; "
        f"nothing was executed. If you trust it, name its package: trusted=[{package}]"
    )


class ConfigInCheckpoint(lightning.Callback):
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


class AtomicCheckpointIO(TorchCheckpointIO):
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
