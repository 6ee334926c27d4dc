"""A run that goes on does so with settings from a file: those may only call what the user's own
configuration calls, and send nothing to places that it does not name.

A checkpoint may come from anyone. Its weights and sizes are numbers; but its callbacks, loggers and
data are calls, which are made only if the user's configuration files, or the command line, have
them. A place that a callback or logger is given (a folder, a server) must stand there, too. All
other places (where the data lie, where what was measured is kept) are those of the run's
config.yaml, which a person can read, and not those of the checkpoint.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from kaskad.config.check import ConfigurationError
from kaskad.runs.saved_configuration import READS_ENVIRONMENT

log = logging.getLogger(__name__)

# What writes to other places than the run folder, or to other machines.
OUTWARD = ("callbacks", "logger")
MAY_BE_A_PLACE = re.compile(r"[/\\\\:@~]")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that of C is ten times faster
GLOBAL_PACKAGE = re.compile(r"^#\s*@package\s+_global_", re.MULTILINE)

Settings = dict[str, Any]


def require_own(saved: Settings, config: DictConfig, path: Path) -> None:
    """Raise ``ConfigurationError`` for what the ``saved`` configuration in the checkpoint ``path``
    would call or read and the user's own does not: all files that ``config`` could be composed
    of, and ``config`` itself, which the command line had a say in."""
    composed: Settings = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    own = [composed, *_files()]
    known = {
        outward: {target for each in own for target in _targets(each, outward)}
        for outward in (True, False)
    }
    for name, value in _leaves(saved):
        is_outward = name.split(".")[0] in OUTWARD
        if name.endswith("_target_") and value not in known[is_outward]:
            raise ConfigurationError(
                f"{path}: its configuration calls {value} ({name}), and yours does not; nothing "
                f"was executed. If the run is yours, say so again on the command line: "
                f"{name}={value}"
            )
    texts = {text for each in own for _, value in _leaves(each) for text in _environment(value)}
    for name, value in _leaves(saved):
        for text in _environment(value):
            if text not in texts:
                raise ConfigurationError(
                    f"{path}: its configuration reads {text} ({name}), and yours does not"
                )
    for name, value in _foreign_places(saved, own):
        raise ConfigurationError(
            f"{path}: its {name} is {value!r}, and not so in your configuration; if that is what "
            f"you want, say so on the command line: {name}={value!r}"
        )


def with_places_of_run(saved: DictConfig, config: DictConfig, path: Path) -> DictConfig:
    """The settings ``saved`` in the checkpoint ``path``, with the places that the config.yaml of
    its run names. Raises ``ConfigurationError`` for a place that neither that file has, nor the
    user's own configuration ``config``."""
    file = path.parent.parent / "config.yaml"
    written = OmegaConf.load(file) if file.is_file() else OmegaConf.create()
    shown = dict(_leaves(OmegaConf.to_container(written)))
    own = {value for _, value in _leaves(OmegaConf.to_container(config))}
    result = saved.copy()
    for name, value in _leaves(OmegaConf.to_container(saved)):
        is_place = isinstance(value, str) and MAY_BE_A_PLACE.search(value)
        if not is_place or name.split(".")[0] in OUTWARD or value == shown.get(name):
            continue
        if isinstance(shown.get(name), str):
            log.warning("%s is %s, as %s says; %s says %s", name, shown[name], file, path, value)
            OmegaConf.update(result, name, shown[name])
        elif value not in own:
            raise ConfigurationError(
                f"{path}: its {name} is {value!r}, which {file} does not say; if that is what you "
                f"want, say so on the command line: {name}={value!r}"
            )
    return result


def _files() -> Iterator[Settings]:
    """Every configuration file that a command line may choose, as settings of a whole run."""
    for source in HydraConfig.get().runtime.config_sources:
        folder = Path(source.path.partition("://")[2] or source.path)
        if source.schema not in ("file", "project") or not folder.is_dir():
            continue
        files = "experiments/**/*.yaml" if source.schema == "project" else "**/*.yaml"
        for file in sorted(folder.glob(files)):
            text = file.read_text(encoding="utf-8")
            settings = yaml.load(text, Loader=LOADER)
            if isinstance(settings, dict):
                group = file.relative_to(folder).parts[:-1]
                is_global = not group or GLOBAL_PACKAGE.search(text)
                yield settings if is_global else {group[0]: settings}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Full name and value of everything below ``value`` that holds nothing itself."""
    children: Any = ()
    if isinstance(value, dict):
        children = ((f"{name}.{key}".lstrip("."), child) for key, child in value.items())
    elif isinstance(value, list):
        children = ((f"{name}[{n}]", child) for n, child in enumerate(value))
    else:
        yield name, value
    for child_name, child in children:
        yield from _leaves(child, child_name)


def _targets(settings: Settings, outward: bool) -> Iterator[Any]:
    for name, value in _leaves(settings):
        if name.endswith("_target_") and (name.split(".")[0] in OUTWARD) == outward:
            yield value


def _environment(value: Any) -> list[str]:
    return READS_ENVIRONMENT.findall(value) if isinstance(value, str) else []


def _foreign_places(saved: Settings, own: list[Settings]) -> Iterator[tuple[str, str]]:
    """Places in callbacks and loggers that are others in every configuration of the user's."""
    places = [
        (section, part, name, value)
        for section in OUTWARD
        for part, node in (saved.get(section) or {}).items()
        for name, value in _leaves(node)
        if isinstance(value, str) and MAY_BE_A_PLACE.search(value)
    ]
    parts = {(section, part) for section, part, _, _ in places}
    written = {key: [node for each in own if (node := _part(each, *key))] for key in parts}
    # As they are written, and as they are in a run with the saved settings.
    resolved = _resolved([node for key in parts for node in written[key]], saved)
    possible = {
        key: [
            dict(_leaves(node)) for node in (*written[key], *(next(resolved) for _ in written[key]))
        ]
        for key in parts
    }
    for section, part, name, value in places:
        if not any(each.get(name) == value for each in possible[section, part]):
            yield f"{section}.{part}.{name}", value


def _part(settings: Settings, section: str, part: str) -> Any:
    parts = settings.get(section)
    return parts.get(part) if isinstance(parts, Mapping) else None


def _resolved(nodes: list[Any], saved: Settings) -> Iterator[Any]:
    """Parts of the user's configuration, as they are in a run with the ``saved`` settings."""
    whole = OmegaConf.create({**saved, "own_parts": nodes})
    for node in whole.own_parts:
        yield OmegaConf.to_container(node, resolve=True)
