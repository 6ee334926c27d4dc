"""The overrides of the command line, as they were typed."""

from collections.abc import Sequence
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import ListConfig, OmegaConf


def typed_overrides() -> list[str]:
    """What the command line says."""
    return as_typed(cast(ListConfig, HydraConfig.get().overrides.task))


def as_typed(overrides: ListConfig) -> list[str]:
    """With ``key=${other}`` as it is: it is not to be resolved before it is in its place."""
    return [str(override) for override in cast(list[Any], OmegaConf.to_container(overrides))]


def data_lists_as_corpora(arguments: Sequence[str]) -> list[str]:
    """``data=[a,b]`` as ``corpora=[a,b]``: tested one by one, where Hydra would merge the two."""
    is_named = any(argument.startswith("task=") for argument in arguments)
    changed = []
    for argument in arguments:
        if argument.startswith("data=["):
            changed += [] if is_named else ["task=evaluate_several"]
            argument = argument.replace("data", "corpora", 1)
        changed.append(argument)
    return changed
