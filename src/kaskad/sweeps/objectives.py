"""By which figures a sweep may choose, asked before its first job."""

from collections.abc import Callable, Iterable
from typing import Any

from omegaconf import DictConfig

from kaskad.config.messages import ConfigurationError, did_you_mean, nearest_first


def require_objectives(
    option: str, names: Iterable[str], task: Callable[..., Any], config: DictConfig
) -> None:
    """Refuse an objective that no job will have, or that only a test gives: a model that is chosen
    by its test has none left.

    Args:
        option: The key of the configuration that has these ``names``.
        names: Figures to be made small.
        task: What each job runs; its ``figures``, if it has them, lists what it can be compared by.
        config: That of a job to come.

    Raises:
        ConfigurationError: With the figures by which a sweep can choose.
    """
    figures = getattr(task, "figures", None)
    known = figures(config) if figures else ()
    for name in names:
        if known and name not in known:
            raise ConfigurationError(
                f"{option}={name}: nothing that a sweep can choose by{did_you_mean(name, known)}\n"
                f"it can by {nearest_first(name, known)}; the error rates of a test are for the end"
            )
