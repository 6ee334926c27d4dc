"""Groups of choices that the command line takes away: `logger=null`, `~scheduler`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from kaskad.config.messages import ConfigurationError

NONE = "none"
NOTHING = ("", "null", "none", "false")  # all that people write for no choice, in any case


def take_away(arguments: Sequence[str], folder: Path, command: str) -> list[str]:
    """The arguments of a command, with `group=none` for `group=null`, `group=false`, `group=` and
    `~group`; and with `group=choice` for `+group=choice` where nothing is chosen yet.

    ``folder`` holds ``<command>.yaml`` and the groups. Raises ``ConfigurationError`` for a group
    that has no choice ``none``, and whose default is not null; and for `+group=choice` beside
    another choice.
    """
    groups = _defaults(folder / f"{command}.yaml")
    taken = []
    for argument in arguments:
        group, equals, choice = argument.lstrip("~+").partition("=")
        is_away = argument.startswith("~") or choice.lower() in NOTHING
        if group not in groups or argument == group:
            taken.append(argument)
        elif argument.startswith("+") and groups[group] is not None:
            raise ConfigurationError(
                f"{argument}: there is a choice for {group} already; to take this one instead, "
                f"leave the plus away: {group}{equals}{choice}"
            )
        elif not is_away:
            taken.append(f"{group}={choice}")
        elif (folder / group / f"{NONE}.yaml").exists():
            taken.append(f"{group}={NONE}")
        elif groups[group] is not None:
            raise _missing(group, folder)
    return taken


def own_data_options(arguments: Sequence[str], folder: Path, command: str) -> list[str]:
    """The arguments of a command that takes a checkpoint's own data where none is chosen, with
    `own_data.root=…` for a `data.root=…` that is meant for those."""
    is_chosen = any(re.match(r"\+?(data|suite|corpora)=", argument) for argument in arguments)
    if is_chosen or _defaults(folder / f"{command}.yaml").get("data", "") is not None:
        return list(arguments)
    return [re.sub(r"^\+*data\.", "+own_data.", argument) for argument in arguments]


def fill_groups(config: DictConfig, folder: Path, command: str) -> None:
    """Have a group that a recipe took away (`override /logger: null`) be what its choice ``none``
    is. Raises ``ConfigurationError`` as ``take_away`` does."""
    for group, default in _defaults(folder / f"{command}.yaml").items():
        if default is None or config.get(group) is not None:
            continue
        file = folder / group / f"{NONE}.yaml"
        if not file.exists():
            raise _missing(group, folder)
        with open_dict(config):
            config[group] = OmegaConf.load(file)


def _missing(group: str, folder: Path) -> ConfigurationError:
    choices = ", ".join(sorted(each.stem for each in (folder / group).glob("*.yaml")))
    fault = f"{group}: this command cannot do without one"
    return ConfigurationError(f"{fault}\n{group} is one of {choices}")


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
