"""What a search found: a table of its trials, the best of them as recipes, and what mattered."""

import shlex
import sys
import warnings
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from kaskad.config.messages import explain
from kaskad.config.overrides import program
from kaskad.sweeps.results import JobResult, SweepTable, print_table
from kaskad.sweeps.studies import PRUNED, ended, storage_of


class SearchReport(SweepTable):
    """Shows the trials of a search, the best first, when it ends, and leaves in its folder:

    - `trials.csv`, the same table;
    - `best.yaml`, the best trial as a recipe for `experiments/`; of a search for several goals,
      `best_<trial>.yaml` for each that no other trial beats in all of them;
    - `importance.png`: how much of the differences comes from which setting (PED-ANOVA).
    """

    def show(self, config: DictConfig, results: Sequence[JobResult]) -> None:
        folder = Path(config.hydra.sweep.dir)
        try:
            study = optuna.load_study(study_name=config.sweep.study, storage=storage_of(folder))
            table = _table(study, config.sweep.goals, results)
            table.write_csv(folder / "trials.csv")
            print_table(table.columns, table.iter_rows(), folder / "trials.csv")
            if study.best_trials:
                self._write_recipes(study, config, results, folder)
                draw_importance(study, config.sweep.goals, folder / "importance.png")
        except Exception as error:  # of which Hydra would make a warning, and end well
            print(f"{folder}: no report: {explain(error)}", file=sys.stderr)
            sys.exit(1)

    def _write_recipes(
        self, study: optuna.Study, config: DictConfig, results: Sequence[JobResult], folder: Path
    ) -> None:
        goals = config.sweep.goals
        groups = {group for group in config.hydra.runtime.choices if "hydra" not in group}
        overrides = {result.job: result.overrides for result in results}
        best = study.best_trials if len(goals) > 1 else [study.best_trial]
        for old in folder.glob("best*.yaml"):  # others may have beaten them since
            old.unlink()
        for trial in best:
            file = folder / (f"best_{trial.number}.yaml" if len(goals) > 1 else "best.yaml")
            settings, others = recipe(overrides[trial.number], groups)
            figures = ", ".join(f"{g} {v:.4g}" for g, v in zip(goals, trial.values, strict=True))
            run = " ".join([program("train"), f"+experiments={file.stem}", *others])
            how = [f"cp {shlex.quote(str(file))} experiments/", run]
            head = [f"Trial {trial.number} of {folder}: {figures}.", *(f"  {line}" for line in how)]
            lines = ["# @package _global_", *(f"# {line}" for line in head), settings]
            file.write_text("\n".join(lines), encoding="utf-8")
            print(f"{figures}: {' && '.join(how)}")


def recipe(overrides: Iterable[str], groups: Set[str]) -> tuple[str, list[str]]:
    """Overrides of a trial as the YAML of a recipe, without those of the search itself; and those
    that a recipe cannot say, for the command line.
    """
    parser = OverridesParser.create()
    defaults: list[Any] = []
    settings = OmegaConf.create({})
    others: list[str] = []
    for override in parser.parse_overrides(list(overrides)):
        key, value = override.key_or_group, override.value()
        if key.startswith("sweep"):
            continue
        if override.is_delete() or override.package is not None:
            others.append(f"'{override.input_line}'")
        elif key not in groups:
            OmegaConf.update(settings, key, value, force_add=True)
        elif override.is_add():
            defaults.append(f"/{key}/{value}")
        else:
            defaults.append({f"override /{key}": value})
    chosen = OmegaConf.to_yaml({"defaults": [*defaults, "_self_"]})
    return chosen + ("\n" + OmegaConf.to_yaml(settings) if settings else ""), others


def draw_importance(study: optuna.Study, goals: Sequence[str], file: Path) -> None:
    """Draw which setting makes how much of the differences; nothing where there are none yet."""
    from matplotlib import pyplot

    values = [trial.values for trial in study.get_trials(states=[TrialState.COMPLETE])]
    if any(len(set(of_goal)) < 2 for of_goal in zip(*values, strict=True)):
        return
    with warnings.catch_warnings(), pyplot.style.context("default"):
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([*goals])
        optuna.visualization.matplotlib.plot_param_importances(study)
        pyplot.savefig(file, dpi=150, bbox_inches="tight")
        pyplot.close()


def _table(study: optuna.Study, goals: Sequence[str], results: Sequence[JobResult]) -> pl.DataFrame:
    """A row a trial: first those that no other beats, last those that failed."""
    found = {result.job: result for result in results}
    best = {trial.number for trial in study.best_trials}
    states = ["best", "complete", "pruned", "failed"]
    rows = []
    for trial in ended(study):
        result = found.get(trial.number)
        state = {TrialState.FAIL: "failed", TrialState.PRUNED: "pruned"}.get(
            trial.state, "complete"
        )
        row = {
            "trial": trial.number,
            "state": "best" if trial.number in best else state,
            **dict.fromkeys(goals),
            **dict(zip(goals, trial.values or (), strict=False)),
            **trial.params,
            "epochs": trial.user_attrs.get(PRUNED),
            "seconds": trial.duration and trial.duration.total_seconds(),
            "failure": result.failure if result else "",
        }
        rows.append((states.index(str(row["state"])), trial.values or [], trial.number, row))
    rows.sort(key=lambda ranked: ranked[:3])
    return pl.DataFrame([row for *_, row in rows], infer_schema_length=None)
