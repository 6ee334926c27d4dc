"""Checkpoints that carry their configuration, and the recognisers loaded from them."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.plugins.io import TorchCheckpointIO

from kaskad.models.recogniser import Recogniser
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint, load_model, read_checkpoint

log = logging.getLogger(__name__)

# The checkpoints of a run that can go on: the newest, and the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


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
    path = find_checkpoint(Path(path))
    parts = {}
    if decoder is not None:
        parts["decoder"] = OmegaConf.to_container(decoder, resolve=True)
    recogniser, config = load_model(path, trusted=trusted, **parts)
    if not isinstance(recogniser, Recogniser):
        raise CheckpointError(
            f"{path}: a {type(recogniser).__name__}, which recognises nothing; a language model "
            "serves as decoder.rescore=… beside the checkpoint of a recogniser"
        )
    return recogniser, config


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
