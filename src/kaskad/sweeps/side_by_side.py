"""How many jobs of a sweep run at once, and with how many threads each."""

import os

from kaskad.config.messages import ConfigurationError
from kaskad.runs.processor import asked_threads, usable_cores

# Memory that a training takes at least, in bytes: no more jobs run than find room.
LEAST_MEMORY = 2e9
JOBS = "KASKAD_JOBS"


def jobs_at_once(accelerator: str | None, most: int | None = None) -> int:
    """How many jobs run side by side: as many as cores on a processor, one on anything else.

    A small net trains hardly faster with two threads than with one, and two of them side by side
    twice as fast. Where the environment asks for threads (``OMP_NUM_THREADS=2``), the cores are
    shared out in as many each, and ``KASKAD_JOBS=3`` says outright how many jobs there are.

    Args:
        accelerator: that of the trainer; ``None`` where a command has none.
        most: there are no more jobs than these.
    """
    if accelerator != "cpu":
        return 1
    count = _wanted_jobs() or min(usable_cores() // (asked_threads() or 1), _room())
    return max(1, count if most is None else min(count, most))


def threads_each(jobs: int) -> int:
    """Threads of each of so many jobs that share the cores."""
    return asked_threads() or max(1, usable_cores() // jobs)


def _wanted_jobs() -> int | None:
    wanted = os.environ.get(JOBS, "").strip()
    if not wanted:
        return None
    if not wanted.isdecimal() or int(wanted) == 0:
        raise ConfigurationError(f"{JOBS}={wanted}: wants a number of jobs, 1 or more")
    return int(wanted)


def _room() -> int:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return usable_cores()
    return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / LEAST_MEMORY)
