"""How many threads compute, how they wait for each other, and what libraries keep in memory.

Nothing heavy is imported here: libraries read their settings when torch is loaded.
"""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
THREADS = "OMP_NUM_THREADS"
# Measured by benchmarks/processor_settings.py.
DEFAULTS = {
    # Threads sleep while they wait for each other. GNU OpenMP lets them spin, which makes a step
    # many times slower where another process wants the same cores.
    "OMP_WAIT_POLICY": "passive",
    # Compiled kernels that oneDNN keeps, by shape. Of its own 1024 most are for batches of lengths
    # that do not come again, and they fill memory.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128",
}


def set_defaults() -> None:
    """Set what the environment does not say otherwise; to be called before torch is loaded."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def settings() -> dict[str, str | None]:
    """The settings of the libraries that compute, as they are; None for what is not set."""
    return {name: os.environ.get(name) for name in (THREADS, *DEFAULTS)}


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
