"""The overrides of the command line, as they were typed."""

from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import ListConfig, OmegaConf


def typed_overrides() -> list[str]:
    """What the command line says."""
    return as_typed(cast(ListConfig, HydraConfig.get().overrides.task))


def as_typed(overrides: ListConfig) -> list[str]:
    """With ``key=${other}`` as it is: it is not to be resolved before it is in its place."""
    return [str(override) for override in cast(list[Any], OmegaConf.to_container(overrides))]
