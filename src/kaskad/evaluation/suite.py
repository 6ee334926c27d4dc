"""A suite: a YAML file of the corpora that models are tested on, and of what is good enough.

an4:                                    # a choice of data, by its name
fsdd: {bounds: {wer: 0.12}, critical: true}
calls:                                  # any name, with its choice of data
  data: table
  settings:                             # as in the configuration of evaluate.py
    data: {root: /corpora/calls, language: ru}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kaskad.config.messages import ConfigurationError, did_you_mean


@dataclass(frozen=True)
class SuiteEntry:
    """One corpus of a suite.

    ``data`` is the choice of data, ``settings`` what is set of it and of all else, ``bounds`` the
    worst figures that are good enough; a ``critical`` one must be within them.
    """

    data: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)
    critical: bool = False

    def apply(self, config: DictConfig) -> DictConfig:
        """The configuration with the settings; raises ``ConfigurationError`` for one it has not."""
        try:
            changed = OmegaConf.merge(config, self.settings)
        except OmegaConfBaseException as error:
            raise ConfigurationError(f"settings: {str(error).splitlines()[0]}") from error
        assert isinstance(changed, DictConfig)
        return changed


def read_suite(path: Path) -> dict[str, SuiteEntry]:
    """The entries of the file ``path`` by their names; raises ``ConfigurationError``."""
    if not path.is_file():
        raise ConfigurationError(f"suite={path}: there is no such file")
    try:
        entries = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"suite={path}: {error}") from error
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"suite={path}: {str(error).splitlines()[0]}") from error
    if not isinstance(entries, dict) or not entries:
        raise ConfigurationError(
            f"suite={path}: wants the corpora by their names, as in\nan4: {{bounds: {{wer: 0.12}}}}"
        )
    return {str(name): _entry(str(name), entry, path) for name, entry in entries.items()}


def _entry(name: str, entry: Any, path: Path) -> SuiteEntry:
    kinds = {"data": str, "settings": dict, "bounds": dict, "critical": bool}
    known = ", ".join(each.name for each in fields(SuiteEntry))
    if entry is None:
        entry = {}
    if not isinstance(entry, dict):
        raise ConfigurationError(f"suite={path}: {name}={entry!r}: wants {known}")
    for key, value in entry.items():
        if key not in kinds:
            question = did_you_mean(str(key), kinds)
            raise ConfigurationError(
                f"suite={path}: {name} has no {key}{question}\nan entry has {known}"
            )
        if not isinstance(value, kinds[key]):
            wanted = kinds[key].__name__
            raise ConfigurationError(f"suite={path}: {name}.{key}={value!r}: wants {wanted}")
    return SuiteEntry(**{"data": name, **entry})
