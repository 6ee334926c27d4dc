"""A run as a job of Slurm: it is queued again before its time is up, and known when it is back."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from kaskad.runs.stop_signals import WARNINGS
from kaskad.storage.files import write_text

log = logging.getLogger(__name__)

INTERACTIVE = ("bash", "interactive")  # names of jobs at whose terminal somebody sits
PATIENCE = 120.0  # seconds that a task waits for what the first chooses


def job_id() -> str | None:
    """The job that this process belongs to, as ``scontrol`` calls it; None outside Slurm."""
    if os.environ.get("SLURM_JOB_NAME") in INTERACTIVE:
        return None
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID") or None


def queue_again() -> bool:
    """Have Slurm run this job once more when it has ended; returns whether it will."""
    job = job_id()
    if job is None:
        return False
    try:
        answer = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
    except OSError as error:
        log.warning("scontrol requeue %s: %s", job, error)
        return False
    if answer.returncode != 0:
        log.warning("scontrol requeue %s: %s", job, answer.stderr.strip() or answer.stdout.strip())
    return answer.returncode == 0


@contextmanager
def queued_again_when_warned() -> Iterator[None]:
    """Have SIGUSR1 and SIGUSR2, which announce the end of the job's time, queue it again and end
    this process, at any time; in training, ``StopSignals`` puts that off until all is saved.

    Nothing changes outside Slurm, nor where somebody answers these signals already: submitit.
    """
    process = os.getpid()

    def answer(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process and queue_again():  # and not one of the data workers
            log.warning("job %s is queued again, and goes on by itself", job_id())
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in WARNINGS}
    mine = [number for number in WARNINGS if job_id() and not callable(before[number])]
    for number in mine:
        signal.signal(number, answer)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])


def several_tasks() -> bool:
    """Whether srun has started several processes, of which this is one."""
    return "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS") or 1) > 1


def agreed(choose: Callable[[], str], folder: Path) -> str:
    """What the first of the tasks that srun has started chooses, for all of them: by a note in
    ``folder``, which all of them see. Raises ``TimeoutError`` where there is none."""
    names = ("JOB_ID", "STEP_ID", "RESTART_COUNT")
    step = "_".join(os.environ.get(f"SLURM_{name}", "0") for name in names)
    note = folder / f".chosen_by_step_{step}"
    if os.environ.get("SLURM_PROCID", "0") == "0":
        folder.mkdir(parents=True, exist_ok=True)
        write_text(choose(), note)
    until = time.monotonic() + PATIENCE
    while not note.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"{note}: the first task of this step of Slurm has chosen no run")
        time.sleep(0.1)
    return note.read_text(encoding="utf-8")


def slurm_plugins() -> list[Any]:
    """What keeps Lightning from answering Slurm's signals itself: with a checkpoint of its own,
    which knows nothing of the order of the data."""
    from lightning_fabric.plugins.environments import SLURMEnvironment  # heavy

    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
