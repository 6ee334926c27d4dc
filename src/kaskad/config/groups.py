"""Groups of choices that the command line took away: `logger=null`, `~scheduler`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from kaskad.config.messages import ConfigurationError

NONE = "none"


def fill_groups(config: DictConfig, folder: Path, command: str) -> None:
    """Have a group without a choice be what its choice ``none`` is.

    ``folder`` holds ``<command>.yaml`` and the groups. Raises ``ConfigurationError`` for a group
    that has no such choice, and whose default is not null.
    """
    for group, default in _defaults(folder / f"{command}.yaml").items():
        if default is None or config.get(group) is not None:
            continue
        file = folder / group / f"{NONE}.yaml"
        if not file.exists():
            choices = ", ".join(sorted(each.stem for each in (folder / group).glob("*.yaml")))
            raise ConfigurationError(
                f"{group}: this command cannot do without one\n{group} is one of {choices}"
            )
        with open_dict(config):
            config[group] = OmegaConf.load(file)


def take_away(arguments: Sequence[str], folder: Path, command: str) -> list[str]:
    """The arguments of a command with `group=null`, which Hydra does not take, as `~group`."""
    groups = _defaults(folder / f"{command}.yaml")
    taken = []
    for argument in arguments:
        group, _, choice = argument.partition("=")
        if group not in groups or choice not in ("null", ""):
            taken.append(argument)
        elif groups[group] is not None:
            taken.append(f"~{group}")
    return taken


def _defaults(file: Path) -> dict[str, Any]:
    """The groups in the list of defaults of a command, each with its choice."""
    entries = OmegaConf.to_container(OmegaConf.load(file)).get("defaults", [])  # type: ignore[union-attr]
    return {
        str(group): choice
        for entry in entries
        if isinstance(entry, dict)
        for group, choice in entry.items()
        if "@" not in str(group) and " " not in str(group)
    }
