"""Serve releases over HTTP and WebSocket: kaskad serve release=releases/v1."""

import logging
import os
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from kaskad.config.messages import ConfigurationError
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.releases.verify import verify
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint
from kaskad.runs.released import ReleaseError
from kaskad.serving.server import serve as serve_until_ended
from kaskad.serving.service import Model, Service

log = logging.getLogger(__name__)

TOKEN = "KASKAD_TOKEN"  # of the environment: a secret never stands in a configuration
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(config: DictConfig) -> None:
    """Serve the releases of ``config`` until SIGTERM or Ctrl-C.

    Raises ``ConfigurationError`` where there is none, and ``CheckpointError`` or ``ReleaseError``
    for one that is not as it was made.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    token = os.environ.get(TOKEN) or None
    if token is None and config.host not in LOOPBACK:
        log.warning(
            "host=%s and no token: whoever reaches this machine can use it; %s=… asks for one",
            config.host,
            TOKEN,
        )
    models = {name: _load(name, path, config) for name, path in named_paths(config).items()}
    serve_until_ended(Service(models, instantiate(config.limits), token), config.host, config.port)


def named_paths(config: DictConfig) -> dict[str, Path]:
    """What is to be served: its path by its name."""
    given = config.release or config.checkpoint
    if not given:
        raise ConfigurationError(
            "no value yet for release: the folder of what is to be served\n"
            "kaskad release run=runs/… name=v1 makes one; release=releases/v1 then serves it"
        )
    if config.release and config.checkpoint:
        raise ConfigurationError("release=… and checkpoint=…: one of them is to be served")
    if isinstance(given, DictConfig):
        return {str(name): Path(str(path)) for name, path in given.items()}
    return {Path(given).resolve().name: Path(given)}


def _load(name: str, path: Path, config: DictConfig) -> Model:
    if config.release and not path.is_dir():
        raise ConfigurationError(
            f"release={path}: there is no such folder\n"
            f"kaskad release run=runs/… name={path.name} makes a release"
        )
    if config.release:
        try:
            verified = verify(path, trusted=config.trusted)
        except ReleaseError as error:
            raise ReleaseError(
                f"{error}\nkaskad release run=runs/… name={path.name} makes a release anew"
            ) from error
        log.info("%s is as it was made: %d files", path, verified.files)
    copies: list[Recogniser] = []
    trained: dict[str, Any] = {}
    for device in config.devices:
        recogniser, trained = load_recogniser(
            path, decoder=config.get("decoder"), trusted=config.trusted
        )
        if recogniser.target != "text":
            raise CheckpointError(f"{path} recognises {recogniser.target}, and speech is served")
        copies.append(recogniser.eval().to(device))
    created = int(find_checkpoint(path).stat().st_mtime)
    return Model(name, copies, _language(trained), created)


def _language(trained: dict[str, Any]) -> str | None:
    """What a model was trained on; ``None`` where its configuration does not say."""
    corpora = (trained.get("data") or {}).get("corpora") or {}
    languages = [each["language"] for each in corpora.values() if each.get("role") == "train"]
    return str(languages[0]) if languages else None
