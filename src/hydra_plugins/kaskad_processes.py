"""How the jobs of a sweep run: side by side on a processor, a process each, else in turn.

Hydra takes plugins from this namespace alone, and looks at it at every start.
"""

import logging
import multiprocessing
from collections.abc import Sequence

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher
from omegaconf import OmegaConf

from kaskad.runs.processor import THREADS
from kaskad.runs.stop_signals import ends_with_parent, handed_on
from kaskad.sweeps.side_by_side import JOBS, jobs_at_once, threads_each

log = logging.getLogger(__name__)


class ProcessLauncher(JoblibLauncher):
    """`hydra/launcher=joblib`: Hydra's own, with a pool for each of the ``n_jobs`` places.

    In a pool that jobs share, one that the kernel kills takes the others with it. Here it costs
    that job alone, which leaves no result. Each has its share of the cores as threads, gets the
    signals that ask the sweep to stop, and does not outlive it.
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
        count = effective_n_jobs(self.joblib["n_jobs"])
        threads = {THREADS: str(threads_each(min(count, len(job_overrides))))}

        pools: set[ProcessPoolExecutor] = set()

        def run(number: int, overrides: Sequence[str], stopped: list[int]) -> JobReturn:
            ended = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
            if stopped:
                return ended
            log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            context = self.hydra_context, self.config, self.task_function
            with ProcessPoolExecutor(1, initializer=_begin_worker, env=threads) as pool:
                pools.add(pool)
                try:
                    return pool.submit(execute_job, number, overrides, *context, state).result()
                except BrokenProcessPool as error:
                    log.error("job %d: %s", number, str(error).partition("\n")[0])
                except (KeyboardInterrupt, SystemExit):  # a signal, after which it has left all
                    log.error("job %d was stopped", number)
                finally:
                    pools.discard(pool)
                return ended

        def processes() -> list[int]:
            return [number for pool in [*pools] for number in [*(pool._processes or ())]]

        places = ThreadPoolExecutor(count)
        with handed_on(processes) as stopped:
            try:
                jobs = enumerate(job_overrides, start=initial_job_idx)
                running = [places.submit(run, *job, stopped) for job in jobs]
                return [job.result() for job in running]
            finally:
                places.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Have a worker end with the sweep, and start processes as usual: those of loky start theirs by
    loky, and pools that spawn would fail."""
    ends_with_parent()
    multiprocessing.set_start_method(None, force=True)


class DefaultLauncher(BasicLauncher):
    """Jobs on a processor run side by side, as many as there are cores; others one by one."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        assert self.config is not None
        accelerator = OmegaConf.select(self.config, "trainer.accelerator")
        count = jobs_at_once(accelerator, most=len(job_overrides))
        if count == 1:
            return super().launch(job_overrides, initial_job_idx)
        log.info("%d jobs at once (%s=1: one by one)", count, JOBS)
        processes = ProcessLauncher(n_jobs=count)
        processes.setup(
            hydra_context=self.hydra_context, task_function=self.task_function, config=self.config
        )
        return processes.launch(job_overrides, initial_job_idx)
