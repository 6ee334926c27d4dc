"""Going on with a run that was interrupted: which one it is, and with what settings.

Nothing heavy is imported here, for the folder of a run is asked for before anything else.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import typed_overrides

log = logging.getLogger(__name__)

# What a run may go on with otherwise than it began: nothing that its losses depend on.
MAY_CHANGE = (
    "callbacks.attention_maps.",
    "callbacks.last_checkpoint.",
    "callbacks.limit_messages.",
    "callbacks.non_finite.",
    "callbacks.notices.",
    "callbacks.remote.",
    "callbacks.samples.",
    "callbacks.wer_histogram.",
    "disk_reserve",
    "datamodule.cache",
    "datamodule.workers",
    "logger.wandb.mode",
    "nearest",
    "optimised_metric",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.enable_",
    "trainer.log_every_n_steps",
    "trainer.num_nodes",
    "trainer.strategy",
)


def settings_to_go_on_with(config: DictConfig, saved: DictConfig, folder: Path) -> DictConfig:
    """The settings ``saved`` of the run in ``folder``; with those of the command line that may
    change. Raises ``ConfigurationError`` for others that differ, each with both values.
    """
    checkpoints = OmegaConf.select(saved, "callbacks.last_checkpoint.folder")
    if checkpoints is None:
        raise ConfigurationError(
            f"{folder}: this run kept nothing to go on from: it had no callbacks.last_checkpoint"
        )
    began_in = Path(checkpoints).parent
    if began_in.resolve() != folder.resolve():
        raise ConfigurationError(
            f"{folder}: this run began in {began_in}, to which its settings lead; move it back"
        )
    changes, faults = {}, []
    for key, wanted in _stated(config):
        had = _plain(OmegaConf.select(saved, key))
        fitted = wanted is None and "tokenizer" in key.split(".")
        repeats = isinstance(wanted, str) and "${" in wanted
        if wanted == had or fitted or (repeats and had is not None):
            continue
        if key.startswith(MAY_CHANGE):
            changes[key] = wanted
            log.info("%s is %s from here on; it was %s", key, wanted, had)
        else:
            faults.append(f"{key} is {wanted} on the command line, and {had} in the run")
    if faults:
        raise ConfigurationError(
            f"{folder} is another run: {'; '.join(faults)}\n"
            "leave that out to go on with it as it is, or begin a new run with its weights: "
            f"init_from={folder}"
        )
    for key, value in changes.items():
        OmegaConf.update(saved, key, value, force_add=True)
    return saved


def _stated(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """The keys that the command line gives a value, itself or by the choice for a group."""
    parser = OverridesParser.create()
    for override in map(parser.parse_override, typed_overrides()):
        key = override.key_or_group.replace("/", ".")
        if key == "resume":
            continue
        part = OmegaConf.select(config, key, default=override)
        if part is override:  # a recipe, or another choice that has a say in every group
            yield from _leaves(config, "")
        elif isinstance(part, DictConfig):
            yield from _leaves(part, f"{key}.")
        else:
            yield key, _plain(part)


def _leaves(node: DictConfig, prefix: str) -> Iterator[tuple[str, Any]]:
    """Full name and value of all below ``node``; of what repeats another setting, as ``${…}``, only
    where the run may come to have it."""
    for key in map(str, node):
        name = f"{prefix}{key}"
        if OmegaConf.is_missing(node, key):
            continue
        if OmegaConf.is_interpolation(node, key):
            if name.startswith(MAY_CHANGE):
                yield name, OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[call-overload, index]
            continue
        value = node[key]
        if isinstance(value, DictConfig):
            yield from _leaves(value, f"{name}.")
        elif name != "resume":
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
