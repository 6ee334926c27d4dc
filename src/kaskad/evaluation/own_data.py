"""The data that a checkpoint was trained on, for whoever tests it without saying on what."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from kaskad.config.messages import ConfigurationError, did_you_mean
from kaskad.runs.checkpoints import CheckpointError, read_checkpoint, settings_of

log = logging.getLogger(__name__)


def add_own_data(config: DictConfig, checkpoints: Sequence[Path]) -> str:
    """Complete a configuration without data by the data of the checkpoints; returns its choice.

    Of a checkpoint, only the name of its choice for ``data`` is taken, and plain values of options
    that this choice has: nothing in it decides what is called. What ``config.own_data`` says of
    them replaces that. Raises ``ConfigurationError`` where a checkpoint does not say, where several
    differ, and for an option that this data has not.
    """
    trained = [read_checkpoint(path)["config"] for path in checkpoints]
    choices = {each.get("choices", {}).get("data") for each in trained}
    if len(choices) > 1 or any(each["data"] != trained[0]["data"] for each in trained):
        raise ConfigurationError(
            "data: the checkpoints were trained on different data; say which to take: data=…"
        )
    (choice,) = choices
    if choice is None:
        raise ConfigurationError(
            f"data: {checkpoints[0]} does not say what it was trained on; say on what to test it: "
            "data=…"
        )
    data = _compose(str(choice)).data
    for key, value in _plain(trained[0]["data"]):
        # An interpolation repeats another option, which is copied itself.
        if _stands_in(data, key) and OmegaConf.select(data, key) != value:
            OmegaConf.update(data, key, value)
    own = config.get("own_data") or OmegaConf.create({})
    for key, value in _plain(OmegaConf.to_container(own, resolve=True)):  # type: ignore[arg-type]
        if not _stands_in(data, key):
            question = did_you_mean(key, map(str, data), "data.")
            raise ConfigurationError(f"data.{key}: data={choice} has no such option{question}")
        OmegaConf.update(data, key, value)
    with open_dict(config):
        config.data = data
    log.info("data=%s, as the checkpoint was trained on", choice)
    return str(choice)


def language_of(trained: Mapping[str, Any], path: str | Path) -> str:
    """The language that a run was for: that of its training corpus, whatever its name.

    ``trained`` is the configuration in the checkpoint ``path``. Raises ``CheckpointError`` where it
    does not say.
    """
    corpora = settings_of(trained, "data.corpora", path, dict).values()
    languages = [corpus["language"] for corpus in corpora if corpus["role"] == "train"]
    if not languages:
        raise CheckpointError(f"{path}: does not say which language it was trained on: language=…")
    return str(languages[0])


def _compose(choice: str) -> DictConfig:
    """The command's configuration with this choice for data, also where Hydra is at rest."""
    run = HydraConfig.get()
    overrides = [f"data={choice}"]
    if GlobalHydra.instance().is_initialized():
        return hydra.compose(run.job.config_name, overrides)
    folder = next(each.path for each in run.runtime.config_sources if each.provider == "main")
    with hydra.initialize_config_dir(folder, version_base="1.3"):
        return hydra.compose(run.job.config_name, overrides)


def _plain(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The full name and value of every option that is no call."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _plain(value, f"{prefix}{key}.")
        elif not key.startswith("_"):
            yield f"{prefix}{key}", value


def _stands_in(node: DictConfig, key: str) -> bool:
    """Whether a configuration has this option, and a value of its own for it."""
    here: Any = node
    *groups, option = key.split(".")
    for group in groups:
        if not isinstance(here, DictConfig) or OmegaConf.is_interpolation(here, group):
            return False
        here = here.get(group)
    there = isinstance(here, DictConfig) and option in list(here)
    return there and not OmegaConf.is_interpolation(here, option)
