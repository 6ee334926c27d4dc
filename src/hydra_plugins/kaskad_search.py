"""`sweep=optuna`: Hydra takes plugins from this namespace alone, and looks at it at every start."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.runs import slurm
from kaskad.runs.folder import run_lock
from kaskad.sweeps.interruption import show_how_to_go_on
from kaskad.sweeps.objectives import require_objectives
from kaskad.sweeps.results import DIED, RESULT_FILE, JobResult, read_result

if TYPE_CHECKING:
    from optuna.trial import Trial

log = logging.getLogger(__name__)


class OptunaSweeper(BasicSweeper):
    """Asks an Optuna study for trials, has Hydra's launcher run them, and tells what they gave.

    As many trials as `sweep.parallel` run at once; the next are asked for when all have ended. What
    a trial gave is read from its folder, so a job may run anywhere, and may die.
    """

    def sweep(self, arguments: list[str]) -> None:
        # Heavy, and not needed for --help.
        from joblib import effective_n_jobs

        from kaskad.sweeps import studies

        assert self.config is not None and self.hydra_context is not None
        options = self.config.sweep
        studies.require_options(options)
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        hint = show_how_to_go_on("sweep.study", options.study)
        with run_lock(folder), hint, slurm.queued_again_when_warned():
            if self.params:
                log.info("the grid of the recipe is not gone through: %s", dict(self.params))
            loader = self.hydra_context.config_loader
            fixed, space = studies.read_space(options.space, arguments, loader)
            # A misspelt key, and a choice that does not exist, fail here.
            self.validate_batch_is_legal([[*fixed, end] for end in studies.extremes(space)])
            assert self.launcher is not None
            task = self.launcher.task_function  # type: ignore[attr-defined]
            job = loader.load_sweep_config(self.config, fixed)
            require_objectives("sweep.goals", options.goals, task, job)
            instantiate(options.pruner)
            study = studies.begin(options, folder, instantiate(options.sampler), fixed)
            OmegaConf.save(self.config, folder / "multirun.yaml")
            studies.retry(study)
            while (left := options.trials - len(studies.ended(study))) > 0:
                count = min(left, effective_n_jobs(options.parallel))
                trials = [study.ask(space) for _ in range(count)]
                self._launch(trials, fixed, folder)
                for trial in trials:
                    result = read_result(folder / str(trial.number) / RESULT_FILE)
                    if result.failure:  # which may have been told on another machine alone
                        log.error("trial %d failed: %s", trial.number, result.failure)
                    studies.tell(study, trial.number, result, options.goals)

    def _launch(self, trials: Sequence["Trial"], fixed: Sequence[str], folder: Path) -> None:
        """Run each trial in a folder of its own, where in any case it leaves a result."""
        assert self.launcher is not None
        jobs = {
            folder / str(trial.number): [
                *fixed,
                *(f"{key}={value}" for key, value in trial.params.items()),
                f"sweep.trial={trial.number}",
            ]
            for trial in trials
        }
        try:
            self.launcher.launch([*jobs.values()], initial_job_idx=trials[0].number)
        except Exception as error:  # of the launcher: an error of a job stands in its result
            if not any(job.is_dir() for job in jobs):
                raise
            log.error("%s: %s", type(error).__name__, error)
        for trial, (job, overrides) in zip(trials, jobs.items(), strict=True):
            if not (job / RESULT_FILE).exists():
                job.mkdir(exist_ok=True)
                JobResult(trial.number, overrides, failure=DIED).write(job)
