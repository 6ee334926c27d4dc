"""`-m key=1,2 group=a,b`: Hydra's own sweep over a grid, with a memory of what is done.

Hydra takes plugins from this namespace alone, and looks at it at every start.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import as_typed
from kaskad.runs import slurm
from kaskad.runs.folder import run_lock
from kaskad.runs.which_run import AUTO
from kaskad.sweeps.interruption import show_how_to_go_on
from kaskad.sweeps.objectives import require_objectives
from kaskad.sweeps.results import Job, write_jobs

log = logging.getLogger(__name__)


class GridSweeper(BasicSweeper):
    """Goes through the grid; `SweepTable` then shows what its jobs gave.

    The same command with the same `hydra.sweep.dir` goes on: a job keeps the result that it
    left there, and one that was interrupted goes on. The folder of another job is moved aside, and
    what other sweeps left in the folder is not shown.
    """

    def sweep(self, arguments: list[str]) -> Any:
        assert self.config is not None
        self._jobs: list[Job] = []
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        hint = show_how_to_go_on("hydra.sweep.dir", str(folder))
        with run_lock(folder), hint, slurm.queued_again_when_warned():
            try:
                returned = super().sweep(arguments)
            except Exception as error:  # of the launcher: an error of a job stands in its result
                if not any(job.folder.is_dir() for job in self._jobs):
                    raise
                log.error("%s: %s", type(error).__name__, error)
                returned = None
        return returned

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Look at the jobs to come before the first of them begins."""
        super().validate_batch_is_legal(batch)
        for overrides in batch:
            self._expect(overrides)
        assert self.config is not None
        write_jobs(self._jobs, Path(self.config.hydra.sweep.dir))

    def _expect(self, overrides: Sequence[str]) -> None:
        """Note a job, check the figure it is compared by, and see that its folder is free."""
        assert self.hydra_context is not None and self.launcher is not None
        assert self.config is not None
        number = len(self._jobs)
        loader = self.hydra_context.config_loader
        config = loader.load_sweep_config(self.config, list(overrides))
        OmegaConf.set_readonly(config.hydra, False)
        OmegaConf.update(config, "hydra.job.num", number, force_add=True)
        OmegaConf.update(config, "hydra.job.id", number, force_add=True)
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)  # to which ${hydra:…} leads
        place = Path(config.hydra.sweep.dir, str(config.hydra.sweep.subdir))
        HydraConfig.instance().cfg = before
        if config.get("resume") not in (None, "", AUTO):
            raise ConfigurationError(
                f"resume={config.resume}: a sweep goes on by the command that began it, with "
                "hydra.sweep.dir=<its folder>; one of its jobs by itself, without -m"
            )
        job = Job(number, as_typed(config.hydra.overrides.task), place)
        if (metric := config.get("optimised_metric")) and number == 0:
            task = self.launcher.task_function  # type: ignore[attr-defined]
            require_objectives("optimised_metric", [metric], task, config)
        if job.is_occupied():
            aside = place.with_name(f"{place.name}_before_{datetime.now():%Y-%m-%d_%H-%M-%S}")
            log.warning("%s holds another job, which is moved to %s", place, aside)
            place.rename(aside)
        self._jobs.append(job)
