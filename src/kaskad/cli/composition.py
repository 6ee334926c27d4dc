"""From what was typed to what a command gets: the same in a shell and in Python."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from kaskad.cli.search_path import EXPERIMENTS
from kaskad.config.check import check
from kaskad.config.groups import fill_groups, own_data_options, take_away
from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import debug_last, typed_overrides

# Those that may be written with "=".
OPTIONS_OF_HYDRA = {"cfg", "info", "package", "shell_completion"}


def as_hydra_takes_them(arguments: Sequence[str], folder: Path, command: str) -> list[str]:
    """The arguments of a command, `group=none` for `group=null`, `debug=…` after a recipe, and `-m`
    first: between arguments it would part them.

    ``folder`` holds ``<command>.yaml`` and the groups. Raises ``ConfigurationError``.
    """
    _refuse_dashes(arguments)
    arguments = own_data_options(arguments, folder, command)
    sweep = [each for each in arguments if each in ("-m", "--multirun")]
    rest = [each for each in arguments if each not in sweep]
    return sweep[:1] + debug_last(take_away(rest, folder, command))


def without_needless_plus(
    arguments: Sequence[str], error: ConfigCompositionException
) -> list[str] | None:
    """The arguments with `key=value` for the `+key=value` over which Hydra failed, because there is
    such a key and nothing is to be added; None where it failed over something else."""
    there = re.search(r"An item is already at '(.+?)'", str(error))
    plus = [each for each in arguments if there and each.startswith(f"+{there[1]}=")]
    return [each[1:] if each in plus else each for each in arguments] if plus else None


def complete(config: DictConfig, folder: Path, command: str) -> None:
    """Fill in groups that a recipe took away, and check all; raises ``ConfigurationError``."""
    _refuse_misspelt_groups(group_names(folder))
    fill_groups(config, folder, command)
    defaults = cast(DictConfig, OmegaConf.load(folder / f"{command}.yaml"))
    defaults.pop("optimised_metric", None)  # which null turns off
    check(config, defaults)


def group_names(folder: Path) -> list[str]:
    """The groups of a folder of configurations, and of the recipes beside it."""
    experiments = folder.parent.glob(f"{EXPERIMENTS}/")
    names = [each.name for each in [*folder.glob("*/"), *experiments]]
    return sorted(set(names) - {"hydra"})


def _refuse_dashes(arguments: Sequence[str]) -> None:
    """Raise ``ConfigurationError`` for ``--key=value``, as other programs have it."""
    for argument in arguments:
        option = re.match(r"--?([\w./]+)=", argument)
        if option and option[1] not in OPTIONS_OF_HYDRA:
            fault = f"{argument}: no such option; what a command takes is written without dashes"
            raise ConfigurationError(f"{fault}: {argument.lstrip('-')}")


def _refuse_misspelt_groups(groups: list[str]) -> None:
    """Raise where `+experiment=...` would silently become a plain key beside the group's name."""
    for override in typed_overrides():
        name = re.match(r"\+([^+=@.]+)[=@]", override)
        if name and name[1] not in groups:
            for group in get_close_matches(name[1], groups, n=1, cutoff=0.8):
                fault = f"{override}: no such group; did you mean +{group}?"
                raise ConfigurationError(f"{fault}\n+{override} would add it as a plain key")
