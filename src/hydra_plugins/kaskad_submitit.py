"""`hydra/launcher=submitit_slurm` and `submitit_local`: a job that is killed costs itself alone.

Hydra takes plugins from this namespace alone, and looks at it at every start.
"""

import logging
from collections.abc import Sequence
from dataclasses import fields
from importlib.util import find_spec
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides

log = logging.getLogger(__name__)

if find_spec("hydra_plugins.hydra_submitit_launcher"):  # which the extra "sweeps" brings
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import (
        BaseSubmititLauncher,
        LocalLauncher,
        SlurmLauncher,
    )

    class PatientLauncher(BaseSubmititLauncher):
        """Waits for all jobs, where Hydra's own ends the sweep with the first that is killed.

        Such a job leaves no result, which the table of the sweep says.
        """

        def launch(
            self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
        ) -> Sequence[JobReturn]:
            from submitit import AutoExecutor  # heavy, and not needed for --help

            assert self.config is not None
            folder, limit = self.params["submitit_folder"], self.params.get("max_num_timeout")
            limits = {} if limit is None else {f"{self._EXECUTOR}_max_num_timeout": limit}
            executor = AutoExecutor(folder, cluster=self._EXECUTOR, **limits)
            shared = {field.name for field in fields(BaseQueueConf)}  # by all kinds of queues
            executor.update_parameters(
                **{
                    name if name in shared else f"{self._EXECUTOR}_{name}": value
                    for name, value in self.params.items()
                    if name not in ("submitit_folder", "max_num_timeout")
                }
            )
            numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
            for number, overrides in zip(numbers, job_overrides, strict=True):
                log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            count = len(job_overrides)
            jobs = executor.map_array(
                self,
                [list(overrides) for overrides in job_overrides],
                ["hydra.sweep.dir"] * count,
                numbers,
                [f"job_id_for_{number}" for number in numbers],
                [Singleton.get_state()] * count,
            )
            return [
                _outcome(job, number, overrides)
                for job, number, overrides in zip(jobs, numbers, job_overrides, strict=True)
            ]

    class LocalJobs(PatientLauncher, LocalLauncher):
        """Jobs as processes of this machine."""

    class SlurmJobs(PatientLauncher, SlurmLauncher):
        """Jobs of Slurm, in one array."""


def _outcome(job: Any, number: int, overrides: Sequence[str]) -> JobReturn:
    """Wait for a job; of one that was killed, what it returned is nothing."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        returned: JobReturn = job.results()[0]
    except (FailedJobError, UncompletedJobError) as error:
        log.error("job %d: %s", number, str(error).strip().partition("\n")[0])
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    return returned
