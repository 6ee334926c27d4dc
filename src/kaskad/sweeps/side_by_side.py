"""How many jobs of a sweep run at once, and with how many threads each."""

import os

# Memory that a training takes at least, in bytes: no more jobs run than find room.
LEAST_MEMORY = 2e9
JOBS = "KASKAD_JOBS"
THREADS = "OMP_NUM_THREADS"


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    wanted = os.environ.get(JOBS)
    count = int(wanted) if wanted else min(cores() // _asked_threads(), _room())
    return max(1, count if most is None else min(count, most))


def threads_each(jobs: int) -> int:
    """Threads of each of so many jobs that share the cores."""
    asked = os.environ.get(THREADS)
    return int(asked) if asked else max(1, cores() // jobs)


def _asked_threads() -> int:
    return max(1, int(os.environ.get(THREADS) or 1))


def _room() -> int:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return cores()
    return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / LEAST_MEMORY)
