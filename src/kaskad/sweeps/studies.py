"""A search as an Optuna study: where it is kept, what it may choose, what is left of it to do."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig, ListConfig
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from kaskad.config.messages import ConfigurationError
from kaskad.sweeps.results import JobResult

STORAGE = "KASKAD_SWEEP_STORAGE"
WAIT = 60.0  # seconds for the other jobs to finish writing to the same file
# What a study and its trials remember, beside what Optuna writes.
BEGAN_WITH, RETRY_OF, PRUNED = "began_with", "retry_of", "pruned"

optuna.logging.set_verbosity(optuna.logging.WARNING)


def require_options(sweep: DictConfig) -> None:
    """Raise ``ConfigurationError`` for a number of trials, or goals, that no search can have."""
    for name, least in (("trials", 1), ("parallel", -1)):  # as joblib counts, -1 is all cores
        count = sweep[name]
        if type(count) is not int or count < least or count == 0:
            raise ConfigurationError(f"sweep.{name}={count}: wants a whole number, 1 or more")
    if not isinstance(sweep.goals, ListConfig) or not sweep.goals:
        raise ConfigurationError(
            f"sweep.goals={sweep.goals}: wants a list of figures, such as [validation/wer]"
        )


def read_space(
    space: Mapping[str, str] | None, arguments: Sequence[str], loader: ConfigLoader
) -> tuple[list[str], dict[str, BaseDistribution]]:
    """What all trials share, as overrides, and what each trial may choose, by key.

    Both are in Hydra's words: `choice(a, b)`, `range(1, 5)`, `interval(0.1, 0.5)`,
    `tag(log, interval(1e-4, 1e-2))`, `int(interval(32, 256))`, or `a,b`. What the `arguments` of
    the command line say of a key replaces what `space` says of it, so `key=value` takes a key out.
    """
    parser = OverridesParser.create(config_loader=loader)
    given = parser.parse_overrides(list(arguments))
    stated = {override.key_or_group for override in given}
    kept = [f"{key}={values}" for key, values in (space or {}).items() if key not in stated]
    overrides = [*given, *parser.parse_overrides(kept)]
    fixed = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    free = {
        override.get_key_element(): distribution_of(override)
        for override in overrides
        if override.is_sweep_override()
    }
    if not free:
        raise ConfigurationError(
            "sweep.space: there is nothing to search; on the command line, for example, "
            "'optimizer.lr=tag(log, interval(1e-4, 1e-2))'"
        )
    return fixed, free


def distribution_of(override: Override) -> BaseDistribution:
    """What `key=interval(…)`, `key=choice(…)` and their like say of a key."""
    values = override.value()
    try:
        match values:
            case IntervalSweep(start=int(low), end=int(high)):
                return IntDistribution(low, high, log="log" in values.tags)
            case IntervalSweep(start=low, end=high) if low is not None and high is not None:
                return FloatDistribution(low, high, log="log" in values.tags)
            case RangeSweep(start=int(), stop=int(), step=int(step)):
                numbers = [*values.range()]
                return IntDistribution(int(min(numbers)), int(max(numbers)), step=abs(step))
        return CategoricalDistribution([*override.sweep_string_iterator()])
    except ValueError as error:
        raise ConfigurationError(f"{override.input_line}: {error}") from error


def extremes(space: Mapping[str, BaseDistribution]) -> list[str]:
    """An override for each choice there is, and for both ends of what has ends."""
    return [
        f"{key}={value}"
        for key, values in space.items()
        for value in (
            values.choices
            if isinstance(values, CategoricalDistribution)
            else (values.low, values.high)  # type: ignore[attr-defined]
        )
    ]


def storage_of(sweep: Path) -> RDBStorage:
    """The database that $KASKAD_SWEEP_STORAGE names, else a file in the folder of the sweep.

    The URL may hold a password: that is why no configuration has it, nor any file.
    """
    url = os.environ.get(STORAGE) or f"sqlite:///{sweep.resolve() / 'study.db'}"
    options = {"connect_args": {"timeout": WAIT}} if url.startswith("sqlite:") else {}
    return RDBStorage(url, engine_kwargs=options)


def begin(
    sweep: DictConfig, folder: Path, sampler: optuna.samplers.BaseSampler, fixed: Sequence[str]
) -> optuna.Study:
    """The study `sweep.study`, new or to go on with.

    Raises `ConfigurationError` if its trials had other goals or settings than those to come.
    """
    if len(sweep.goals) > 1 and sweep.pruner is not None:
        raise ConfigurationError(
            f"sweep.goals={sweep.goals}: Optuna prunes for one goal alone; add sweep.pruner=null"
        )
    study = optuna.create_study(
        study_name=sweep.study,
        storage=storage_of(folder),
        sampler=sampler,
        directions=["minimize"] * len(sweep.goals),
        load_if_exists=True,
    )
    settings = sorted(override for override in fixed if not override.startswith("sweep"))
    wanted: dict[str, Any] = {"goals": [*sweep.goals], "settings": settings}
    had = study.user_attrs.get(BEGAN_WITH, wanted)
    if not ended(study):
        study.set_user_attr(BEGAN_WITH, wanted)
    elif had != wanted:
        changes = (
            f"{key} {had[key]}, and now {wanted[key]}" for key in had if had[key] != wanted[key]
        )
        raise ConfigurationError(
            f"sweep.study={sweep.study} was begun with {'; '.join(changes)}\n"
            "its trials would not compare: go on as it began, or begin another sweep.study"
        )
    if study.trials:
        sampler.reseed_rng()  # its first draws are taken
    return study


def retry(study: optuna.Study) -> None:
    """Give up the trials that were cut off, each of which is tried again, in a new trial."""
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that are over and done with: not those that are tried again."""
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    return [trial for trial in trials if trial.state.is_finished() and trial.number not in again]


def tell(study: optuna.Study, number: int, result: JobResult, goals: Sequence[str]) -> None:
    """Tell what became of a trial; raises `ConfigurationError` for a goal that is no figure."""
    if result.failure:
        study.tell(number, state=TrialState.FAIL)
    elif PRUNED in study.get_trials(deepcopy=False)[number].user_attrs:
        study.tell(number, state=TrialState.PRUNED)
    else:
        study.tell(number, [result.figure(goal, "sweep.goals") for goal in goals])


def open_trial(
    folder: Path, study_name: str, number: int, pruner: optuna.pruners.BasePruner
) -> optuna.Trial | None:
    """The trial that a job is, to be told how it goes; ``None`` if it is over."""
    storage = storage_of(folder)
    # This study asks for no further trial: any sampler will do, and this one costs nothing.
    study = optuna.load_study(
        study_name=study_name,
        storage=storage,
        sampler=optuna.samplers.RandomSampler(),
        pruner=pruner,
    )
    if study.get_trials(deepcopy=False)[number].state.is_finished():
        return None  # the run was interrupted, and goes on outside its sweep
    study_id = storage.get_study_id_from_name(study_name)
    trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    return optuna.Trial(study, trial_id)
