"""Going on with a run that was interrupted: with what settings, and in which working directory."""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, chdir, nullcontext
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from kaskad.config.marks import may_change
from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import pasteable, typed_overrides
from kaskad.runs.folder import read_environment

log = logging.getLogger(__name__)


def settings_to_go_on_with(config: DictConfig, saved: DictConfig, folder: Path) -> DictConfig:
    """The settings ``saved`` of the run in ``folder``; with those of the command line that may
    change, which comments in conf/ say. Paths into the run folder follow it where it was moved.

    Raises ``ConfigurationError`` for other settings that differ, each with both values.
    """
    checkpoints = OmegaConf.select(saved, "callbacks.last_checkpoint.folder")
    if checkpoints is None:
        raise ConfigurationError(
            f"{folder}: this run kept nothing to go on from: it had no callbacks.last_checkpoint"
        )
    if faults := faults_of(config, saved):
        raise ConfigurationError(
            f"{folder} is another run: {'; '.join(faults)}\n"
            "leave that out to go on with it as it is, or begin a new run with its weights: "
            f"{pasteable('init_from', str(folder))}"
        )
    began_in = Path(checkpoints).parent
    if began_in.resolve() != folder.resolve():
        log.info("this run began in %s and goes on in %s", began_in, folder)
        saved = _relocated(saved, str(began_in), str(folder))
    for group in _replaced_groups(config, saved):
        OmegaConf.update(saved, group, config[group], merge=False, force_add=True)
    for key, wanted in _stated(config):
        had = _plain(OmegaConf.select(saved, key))
        if had == wanted or _says_nothing(key, wanted, had):
            continue
        log.info("%s is %s from here on; it was %s", key, wanted, had)
        if isinstance(wanted, str) and Path(wanted).exists():
            wanted = str(Path(wanted).absolute())  # typed here, and used elsewhere perhaps
        if key.startswith("data.") and isinstance(had, str):
            saved = _relocated(saved, had, wanted)
        OmegaConf.update(saved, key, wanted, force_add=True)
    return saved


def faults_of(config: DictConfig, saved: DictConfig) -> list[str]:
    """What the command line gives another value than a run had, and that may not change."""
    replaced = tuple(f"{group}." for group in _replaced_groups(config, saved))
    faults = []
    for key, wanted in _stated(config):
        had = _plain(OmegaConf.select(saved, key))
        allowed = may_change(key) or key.startswith(replaced)
        if wanted != had and not allowed and not _says_nothing(key, wanted, had):
            faults.append(f"{key} is {wanted} on the command line, and {had} in the run")
    return faults


def working_directory_of(folder: Path) -> AbstractContextManager[None]:
    """Work where the run in ``folder`` began: its settings have paths that start from there."""
    began = read_environment(folder).get("directory")
    if began is None or Path(began).resolve() == Path.cwd():
        return nullcontext()
    if not Path(began).is_dir():
        log.warning(
            "this run began in the working directory %s, which is not here; paths that are not "
            "absolute start from %s",
            began,
            os.getcwd(),
        )
        return nullcontext()
    log.info("paths that are not absolute start from %s, where this run began", began)
    return chdir(began)


def _relocated(node: DictConfig, old: str, new: str) -> DictConfig:
    """All settings, with paths that lead to ``old`` or below it leading to ``new``."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(part) for key, part in value.items()}
        if isinstance(value, list):
            return [moved(part) for part in value]
        is_path = isinstance(value, str) and (value == old or value.startswith(f"{old}/"))
        return new + value[len(old) :] if is_path else value

    return OmegaConf.create(moved(OmegaConf.to_container(node)))


def _replaced_groups(config: DictConfig, saved: DictConfig) -> list[str]:
    """Groups that the command line chooses anew and of which everything may change: loggers."""
    parser = OverridesParser.create()
    keys = [parser.parse_override(each).key_or_group for each in typed_overrides()]
    return [
        key
        for key in keys
        if isinstance(saved.get(key), DictConfig)
        and isinstance(config.get(key), DictConfig)
        and all(may_change(f"{key}.{part}") for part in {*saved[key], *config[key]})
    ]


def _says_nothing(key: str, wanted: Any, had: Any) -> bool:
    """What a tokenizer finds in its text is no setting, nor is what repeats another setting."""
    fitted = wanted is None and "tokenizer" in key.split(".")
    return fitted or (isinstance(wanted, str) and "${" in wanted and had is not None)


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
            if may_change(name):
                yield name, OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[call-overload, index]
            continue
        value = node[key]
        if isinstance(value, DictConfig):
            yield from _leaves(value, f"{name}.")
        elif name != "resume":
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
