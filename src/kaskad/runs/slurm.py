"""A run as a job of Slurm: it is queued again before its time is up, and known when it is back."""

import logging
import os
import subprocess
from typing import Any

log = logging.getLogger(__name__)

INTERACTIVE = ("bash", "interactive")  # names of jobs at whose terminal somebody sits


def job_id() -> str | None:
    """The job that this process belongs to, as ``scontrol`` calls it; None outside Slurm."""
    if os.environ.get("SLURM_JOB_NAME") in INTERACTIVE:
        return None
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is not None:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")


def queue_again() -> bool:
    """Have Slurm run this job once more when it has ended; returns whether it will."""
    job = job_id()
    if job is None:
        return False
    try:
        told = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
    except OSError as error:
        log.warning("scontrol requeue %s: %s", job, error)
        return False
    if told.returncode != 0:
        log.warning("scontrol requeue %s: %s", job, told.stderr.strip() or told.stdout.strip())
    return told.returncode == 0


def slurm_plugins() -> list[Any]:
    """What keeps Lightning from answering Slurm's signals itself: with a checkpoint of its own,
    which knows nothing of the order of the data."""
    from lightning_fabric.plugins.environments import SLURMEnvironment  # heavy

    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
