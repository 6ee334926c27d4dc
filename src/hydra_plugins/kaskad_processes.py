"""`hydra/launcher=joblib`: jobs of a sweep side by side, a process each.

Hydra takes plugins from this namespace alone, and looks at it at every start.
"""

import logging
from collections.abc import Sequence

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher

log = logging.getLogger(__name__)


class ProcessLauncher(JoblibLauncher):
    """Hydra's joblib launcher, with a pool of its own for each of the ``n_jobs`` places.

    In a pool that jobs share, one that the kernel kills takes the others with it. Here it costs
    that job alone, which leaves no result.
    """

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        # Heavy, and not needed for --help.
        from concurrent.futures import ThreadPoolExecutor

        from hydra_plugins.hydra_joblib_launcher._core import execute_job
        from joblib import effective_n_jobs
        from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

        assert self.config is not None
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        state = Singleton.get_state()

        def run(number: int, overrides: Sequence[str]) -> JobReturn:
            log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            context = self.hydra_context, self.config, self.task_function
            with ProcessPoolExecutor(max_workers=1) as place:
                try:
                    return place.submit(execute_job, number, overrides, *context, state).result()
                except BrokenProcessPool as error:
                    log.error("job %d: %s", number, str(error).partition("\n")[0])
                    return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)

        places = ThreadPoolExecutor(effective_n_jobs(self.joblib["n_jobs"]))
        try:
            jobs = enumerate(job_overrides, start=initial_job_idx)
            running = [places.submit(run, number, overrides) for number, overrides in jobs]
            return [job.result() for job in running]
        finally:
            places.shutdown(cancel_futures=True)
