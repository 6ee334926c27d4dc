"""How many threads compute, and how they wait for each other.

Nothing heavy is imported here: OpenMP reads its settings when torch is loaded.
"""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
THREADS, WAIT = "OMP_NUM_THREADS", "OMP_WAIT_POLICY"


def let_threads_sleep() -> None:
    """Have threads sleep while they wait for each other, unless the environment says otherwise.

    GNU OpenMP lets them spin. Where another process wants the same cores, that costs far more than
    sleeping costs where none does: see ``benchmarks/processor_settings.py threads``.
    """
    os.environ.setdefault(WAIT, "passive")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """The cores that this process may use: those of its affinity, and no more than the quota of its
    container, which neither Python nor OpenMP looks at."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _quota(cgroup))


def asked_threads() -> int | None:
    """The threads that the environment asks for; of a list for nested ones, as OpenMP knows it, the
    first. None where it asks for none, or for something else, which OpenMP passes over as well."""
    asked = os.environ.get(THREADS, "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) > 0 else None


def fit_threads() -> None:
    """Let torch have no more threads than usable cores, unless the environment names a number."""
    import torch  # heavy

    if asked_threads() is None:
        torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))


def _quota(cgroup: Path) -> int:
    """The cores that a container may use, one at least; without a limit, more than there are."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:  # of the first version
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        cores = math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # "max": no limit
        return 1 << 16
    return cores if cores > 0 else 1 << 16
