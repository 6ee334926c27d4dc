"""A search within one process, for what costs seconds a trial: options of a decoder."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Literal

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution

from kaskad.config.messages import ConfigurationError
from kaskad.sweeps.studies import distribution_of

PATIENCE = 20  # draws for each trial that is wanted: few combinations are soon drawn again

Space = Mapping[str, BaseDistribution]


def read_options(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """What each option may be: a list of values, or `interval(0.0, 2.0)`, `int(interval(20, 100))`
    and `tag(log, interval(0.3, 3.0))`, as in the space of a sweep.

    Raises ``ConfigurationError`` for anything else.
    """
    return {name: _values(name, values) for name, values in space.items()}


def search(
    space: Space,
    trials: int | None,
    measure: Callable[[dict[str, Any]], float],
    *,
    direction: Literal["minimize", "maximize"],
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Try options one after the other, each chosen by what those before gave (Optuna's TPE).

    Args:
        space: What each option may be.
        trials: How many are tried, each another; None, or no fewer than there are: all, in their
            order.
        measure: Called with the options of a trial; returns its figure.
        direction: Whether that figure is to become small or large.
        seed: The draw follows from this number.

    Yields:
        The options of each trial, once it has been measured.

    Raises:
        ConfigurationError: If all are to be tried, and there is no end of them.
    """
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), direction=direction)
    lists = [v.choices for v in space.values() if isinstance(v, CategoricalDistribution)]
    are_listed = len(lists) == len(space)
    count = math.prod(map(len, lists)) if are_listed else None
    if trials is None and count is None:
        raise ConfigurationError(
            "trials=null tries all combinations, and an interval has no end of them: give lists of "
            "values, or a number of trials"
        )
    if trials is None or (count is not None and trials >= count):
        trials = count or 0
        for values in product(*lists):
            study.enqueue_trial(dict(zip(space, values, strict=True)))
    known: dict[tuple[Any, ...], float] = {}
    for _ in range(PATIENCE * trials):
        if len(known) == trials:
            return
        trial = study.ask(dict(space))
        chosen = tuple(trial.params[name] for name in space)
        is_new = chosen not in known
        if is_new:
            known[chosen] = measure(dict(trial.params))
        study.tell(trial, known[chosen])
        if is_new:
            yield dict(trial.params)


def _values(name: str, values: Any) -> BaseDistribution:
    if isinstance(values, list) and values:
        return CategoricalDistribution(values)
    if isinstance(values, str):
        override = OverridesParser.create().parse_override(f"{name}={values}")
        found = distribution_of(override) if override.is_sweep_override() else None
        if found is not None and not isinstance(found, CategoricalDistribution):
            return found
    raise ConfigurationError(
        f"space.{name}={values!r}: wants a list of values, or an interval: 'interval(0.0, 2.0)', "
        "'int(interval(20, 100))', 'tag(log, interval(0.3, 3.0))'"
    )
