"""What was trained, loaded from its checkpoint without executing anything of the file.

A checkpoint is read with ``weights_only``; the classes that its configuration names must be nets or
parts of a recogniser, of this package or of one that the caller trusts by name.
"""

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from kaskad.config.overrides import pasteable
from kaskad.runs.folder import BEST, LAST, PREVIOUS
from kaskad.runs.released import (
    ARCHIVE,
    WEIGHTS,
    ReleaseError,
    is_release,
    read_released,
    releases_below,
)
from kaskad.runs.saved_configuration import fault_of
from kaskad.storage.archives import damaged_part, excess_of
from kaskad.storage.files import written_whole

T = TypeVar("T")
log = logging.getLogger(__name__)

# What Lightning reads of a checkpoint from which a run goes on.
NEEDED_TO_GO_ON = {
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}
NOT_PLAIN = "its configuration holds more than plain values"


class CheckpointError(ValueError):
    """A file that cannot be loaded as what it should be: says why, and what to do."""


def find_checkpoint(path: Path) -> Path:
    """Return ``path``, or of a folder: the weights of a release, or the best checkpoint of the
    newest run at or below it."""
    if path.name.endswith(ARCHIVE) and path.is_file():
        raise CheckpointError(
            f"{path}: the archive of a release; unpack it (tar -xzf {path}), and give the folder"
        )
    if not path.is_dir():
        return path
    if is_release(path):
        return path / WEIGHTS
    runs = (file for file in path.rglob("best.ckpt") if file.is_file())
    found = max(runs, key=lambda file: file.stat().st_mtime, default=None)
    if found is None:
        if releases := releases_below(path):
            raise CheckpointError(
                f"{path}: a folder of releases; give one of them, such as {releases[-1]}"
            )
        raise CheckpointError(f"{path}: no run in this folder has a checkpoints/best.ckpt")
    log.info("taking the newest checkpoint: %s", found)
    return found


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of train.py: its plain ``config``, its ``state_dict``, and the rest; of the
    weights of a release, what stands beside them.

    Raises ``CheckpointError``, with the file and what is wrong with it, on anything else; nothing
    of it is executed.
    """
    path = Path(path)
    try:
        checkpoint = read_released(path) if path.name == WEIGHTS else _read(path)
    except ReleaseError as fault:
        raise CheckpointError(str(fault)) from None
    try:
        _require_parts(checkpoint)
    except CheckpointError as fault:
        raise CheckpointError(f"{path}: {fault}") from None
    return cast(dict[str, Any], checkpoint)


def _read(path: Path) -> Any:
    # What torch says of a file is not passed on: as a rule, to load it with weights_only=False.
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such checkpoint")
    if not path.is_file():
        raise CheckpointError(
            f"{path}: is not a regular file; give a checkpoint, or a folder of runs"
        )
    try:
        with path.open("rb") as file:
            if excess := excess_of(file):
                raise CheckpointError(f"{path}: no checkpoint of train.py: {excess}")
            if part := damaged_part(file):
                raise CheckpointError(
                    f"{path}: damaged: its part {part} is not what was written; copy it again, or "
                    "take another"
                )
            return torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path}: holds more than weights and plain values, or is no checkpoint; "
            "nothing of it was executed"
        ) from None
    except OSError as error:
        reason = error.strerror or "the file breaks off"
        raise CheckpointError(f"{path}: cannot be read: {reason}") from None
    except Exception:  # a reader of torn bytes may fail in any way
        raise CheckpointError(
            f"{path}: torn, or no checkpoint of train.py; copy it again, or take another"
        ) from None


def _require_parts(checkpoint: Any) -> None:
    """Raise ``CheckpointError`` unless a checkpoint has its parts, each of the right type."""
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f"no checkpoint of train.py, but a {type(checkpoint).__name__}")
    if missing := [part for part in ("config", "state_dict") if part not in checkpoint]:
        raise CheckpointError(f"not a checkpoint of train.py: it has no {' and no '.join(missing)}")
    config, weights = checkpoint["config"], checkpoint["state_dict"]
    if type(config) is not dict:
        raise CheckpointError(f"its config is a {type(config).__name__}, not a dictionary")
    fault = fault_of(config.get("model"), "model")
    fault = fault or fault_of(config, "config", may_read_environment=True)
    if fault:
        raise CheckpointError(f"{NOT_PLAIN}: {fault}; nothing was executed")
    for name in ("model", "data", "data.corpora"):
        section = _value(config, name)
        if not (type(section) is dict or (section is None and name != "model")):
            raise CheckpointError(f"its configuration has no {name}, a dictionary of settings")
    for name, corpus in (_value(config, "data.corpora") or {}).items():
        found = (
            [corpus.get(key) for key in ("role", "language")] if type(corpus) is dict else [None]
        )
        if not all(isinstance(each, str) for each in found):
            raise CheckpointError(f"its configuration has no role and language of corpus {name!r}")
    if not isinstance(weights, dict):
        raise CheckpointError(f"its state_dict is a {type(weights).__name__}, not a dictionary")
    for name, weight in weights.items():
        if not isinstance(name, str) or not isinstance(weight, torch.Tensor):
            raise CheckpointError(
                f"its state_dict has {name!r}: {type(weight).__name__}, no tensor"
            )
        if weight.layout != torch.strided or weight.device.type != "cpu":
            raise CheckpointError(f"its weight {name} is {weight.layout} on {weight.device.type}")
        if weight.numel() * weight.element_size() > weight.untyped_storage().nbytes():
            raise CheckpointError(f"its weight {name} is larger than what is stored of it")


def settings_of(config: Mapping[str, Any], name: str, path: str | Path, kind: type[T]) -> T:
    """What the configuration in the checkpoint ``path`` has at ``name``, as in ``model.features``.

    Raises ``CheckpointError`` where that is missing, or not of this ``kind``.
    """
    value = _value(config, name)
    if not isinstance(value, kind):
        raise CheckpointError(f"{path}: its configuration has no {name}, a {kind.__name__}")
    return value


def _value(config: Mapping[str, Any], name: str) -> Any:
    value: Any = config
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


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
        try:
            with written_whole(Path(path)) as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's own, where a write fails
            raise OSError(f"{path}: cannot be written; is its disk full?") from error


def newest_whole_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint from which a run with this folder of checkpoints can go on, and its path.

    A damaged one is reported, and the one before it taken. Raises ``CheckpointError`` without any.
    """
    faults = []
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            checkpoint = read_checkpoint(path)
            for name, kind in NEEDED_TO_GO_ON.items():
                if not isinstance(checkpoint.get(name), kind):
                    raise CheckpointError(
                        f"{path}: no run can go on from it: it has no {name}, a {kind.__name__}"
                    )
        except CheckpointError as error:
            if path.exists():
                faults.append(str(error))
        else:
            if faults:
                log.warning("%s; going on from the one before it: %s", faults[0], path)
            return path, checkpoint
    what = "; ".join(faults) or f"{folder}: there is no {LAST} to go on from"
    way = f"begin the run anew: without resume, or after the folder {folder} is removed"
    if (best := _readable_best(folder)) is not None:
        way += f"; with the weights of its best epoch: {pasteable('init_from', str(best))}"
    raise CheckpointError(f"{what}\n{way}")


def _readable_best(folder: Path) -> Path | None:
    try:
        read_checkpoint(folder / BEST)
    except CheckpointError:
        return None
    return folder / BEST
