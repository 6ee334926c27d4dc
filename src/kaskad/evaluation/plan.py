"""What evaluate.py is to test: which checkpoints, on which corpora, and how good is good enough."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig, OmegaConf

from kaskad.config.check import check
from kaskad.config.marks import may_change
from kaskad.config.messages import ConfigurationError, did_you_mean, nearest_first
from kaskad.config.overrides import typed_overrides
from kaskad.evaluation.own_data import add_own_data
from kaskad.evaluation.suite import SuiteEntry, read_suite
from kaskad.metrics.registry import METRICS
from kaskad.models.ensemble import require_combination
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint
from kaskad.runs.released import WEIGHTS, releases_below

# The figures of a report that can be held against a bound: shares.
BOUNDED_METRICS = [name for name, metric in METRICS.items() if "report" in metric.places]
PLAN = "plan.json"  # in the run folder: what to go on with after an interruption


@dataclass(frozen=True)
class Plan:
    """``models`` holds the checkpoints of each model that is tested: one, or those that decode as
    one; ``corpora`` the configuration for each by its name; ``bounds`` the worst figures that are
    good enough, by corpus; ``critical`` names the corpora that must be within theirs."""

    models: list[list[Path]]
    corpora: dict[str, DictConfig]
    bounds: dict[str, dict[str, float]]
    critical: list[str]
    is_resumed: bool

    @property
    def is_plain(self) -> bool:
        """Whether one model is tested on one choice of data, and no figure of it bounded."""
        one = len(self.models) == len(self.corpora) == 1
        return one and not self.bounds and not self.critical


def make_plan(config: DictConfig, folder: Path) -> Plan:
    """What the command line asks for, kept in ``folder``; or what it asked for when the evaluation
    began that is resumed there.

    Raises ``ConfigurationError`` for a corpus, an option or a figure that does not exist, and
    ``CheckpointError`` where a checkpoint does not: before anything is tested.
    """
    run = HydraConfig.get()
    overrides = typed_overrides()
    is_resumed = bool(config.resume)
    if not is_resumed:
        checkpoints = _find(config.checkpoint, config.release)
        suite = _suite(config)
        own = add_own_data(config, checkpoints) if _lacks_data(config) else None
        names = list(suite) or [str(config.title or own)]
    else:
        began = _began(folder)
        names, checkpoints = began["corpora"], [Path(path) for path in began["checkpoints"]]
        overrides = _changed(began["overrides"], overrides, folder)
        config = hydra.compose(run.job.config_name, overrides)
        suite = _suite(config)
        _require_same(suite, began, folder)
        if _lacks_data(config):
            add_own_data(config, checkpoints)
    if config.combine is not None:
        require_combination(config.combine, len(checkpoints))
    for option in ("bounds", "critical"):
        for name in config[option]:
            _require(name, names, option)
    bounds = {name: dict(entry.bounds) for name, entry in suite.items() if entry.bounds}
    bounds |= cast(dict[str, dict[str, float]], OmegaConf.to_container(config.bounds, resolve=True))
    _check_bounds(bounds)
    critical = [name for name, entry in suite.items() if entry.critical]
    corpora = {name: _config_for(name, suite, overrides) for name in suite} or {names[0]: config}
    kept = {
        "overrides": overrides,
        "corpora": names,
        "suite": {name: _what(entry) for name, entry in suite.items()},
        "checkpoints": [str(path) for path in checkpoints],
    }
    (folder / PLAN).write_text(json.dumps(kept, ensure_ascii=False, indent=4), encoding="utf-8")
    models = [[path] for path in checkpoints] if config.combine is None else [checkpoints]
    return Plan(models, corpora, bounds, list(config.critical) or critical, is_resumed)


def _suite(config: DictConfig) -> dict[str, SuiteEntry]:
    """The corpora to be tested one by one: those of a file, or those that data=[…] lists."""
    if config.suite is None:
        return {name: SuiteEntry(name) for name in config.corpora}
    if config.corpora or config.get("data") is not None:
        raise ConfigurationError("suite and data: both say what is to be tested; give one of them")
    return read_suite(Path(config.suite))


def _lacks_data(config: DictConfig) -> bool:
    return config.get("data") is None and not config.corpora and config.suite is None


def _what(entry: SuiteEntry) -> dict[str, Any]:
    """What an entry tests, of which nothing may change when an evaluation goes on."""
    return {"data": entry.data, "settings": entry.settings}


def _require_same(suite: dict[str, SuiteEntry], began: dict[str, Any], folder: Path) -> None:
    now = {name: _what(entry) for name, entry in suite.items()}
    had = began.get("suite", now)  # older evaluations did not keep it
    for name in had | now:
        if had.get(name) != now.get(name):
            raise ConfigurationError(
                f"{folder} is another evaluation: '{name}' of its suite has changed since\n"
                "bring it back, or leave out resume=…"
            )


def _find(checkpoint: str | ListConfig | None, release: str | None) -> list[Path]:
    if release and checkpoint:
        raise ConfigurationError("checkpoint and release: give one of them, not both")
    if release:
        if releases := releases_below(Path(release)):
            return [(each / WEIGHTS).resolve() for each in releases]
        raise CheckpointError(
            f"release={release}: there is no release at or below it; kaskad release run=… name=… "
            "makes one"
        )
    if not checkpoint:
        raise ConfigurationError(
            "no value yet for checkpoint\n"
            "give it on the command line: checkpoint=runs/…, or 'checkpoint=[runs/a,runs/b]'"
        )
    listed = [checkpoint] if isinstance(checkpoint, str) else checkpoint
    found = [find_checkpoint(Path(path)).resolve() for path in listed]
    for path in found:
        if not path.is_file():
            raise CheckpointError(f"{path}: there is no such checkpoint")
    return found


def _began(folder: Path) -> dict[str, Any]:
    """What was asked for when the evaluation in ``folder`` began."""
    try:
        return dict(json.loads((folder / PLAN).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{folder}: no evaluation to go on with, for it has no whole {PLAN}; resume=… names "
            "the run folder of an evaluate.py that was interrupted"
        ) from error


def _changed(saved: Sequence[str], given: Sequence[str], folder: Path) -> list[str]:
    """The overrides ``saved``, with what of those ``given`` may be otherwise."""
    overrides = {_key(override): override for override in saved}
    for override in given:
        key = _key(override)
        if override in saved or key == "resume":
            continue
        if not may_change(key):
            raise ConfigurationError(
                f"{folder} is another evaluation: it did not begin with {override}\n"
                "leave that out to go on with it as it is, or leave out resume=…"
            )
        overrides[key] = override
    return list(overrides.values())


def _config_for(name: str, suite: Mapping[str, SuiteEntry], overrides: Sequence[str]) -> DictConfig:
    """The configuration with which a corpus is tested as if it were the only one."""
    common = [each for each in overrides if _key(each) not in ("data", "suite")]
    for override in common:
        if _key(override).startswith("data.") and len(suite) > 1:
            raise ConfigurationError(
                f"{override}: of which corpus ({', '.join(suite)})?\n"
                f"say it of one alone, in a file: suite=<file>, with\n{_in_yaml(name, override)}"
            )
    choice = [f"data={suite[name].data}"]
    try:
        config = hydra.compose(HydraConfig.get().job.config_name, [*common, *choice])
        config = suite[name].apply(config)
        check(config)
    except ConfigurationError as error:
        raise ConfigurationError(f"corpus '{name}': {error}") from error
    return config


def _in_yaml(name: str, override: str) -> str:
    """``data.root=/calls`` of one corpus, as its line in a suite."""
    key, _, value = override.partition("=")
    *above, last = key.split(".")
    inner = f"{last}: {value}"
    for part in reversed(above):
        inner = f"{part}: {{{inner}}}"
    return f"{name}: {{settings: {{{inner}}}}}"


def _key(override: str) -> str:
    return str(OverridesParser.create().parse_override(override).key_or_group)


def _check_bounds(bounds: dict[str, Any]) -> None:
    for name, figures in bounds.items():
        if not isinstance(figures, dict):
            raise ConfigurationError(
                f"bounds.{name}={figures}: of which figure? +bounds.{name}.wer={figures}"
            )
        for figure, bound in figures.items():
            _require(figure, BOUNDED_METRICS, f"bounds.{name}", "figure")
            if not (isinstance(bound, int | float) and 0 <= bound <= 1):
                raise ConfigurationError(
                    f"bounds.{name}.{figure}={bound}: wants a share from 0 to 1; 12 % is 0.12"
                )


def _require(name: str, known: Iterable[str], option: str, kind: str = "corpus") -> None:
    if name not in known:
        raise ConfigurationError(
            f"{option}: there is no {kind} '{name}'{did_you_mean(name, known)}\n"
            f"it is one of {nearest_first(name, known)}"
        )
