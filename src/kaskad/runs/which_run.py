"""Which run a command means: a new one, or one to go on with.

Nothing heavy is imported here, for the folder of a run is asked for before anything else.
"""

import hashlib
import logging
import os
import shlex
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from kaskad.config.messages import ConfigurationError, did_you_mean
from kaskad.config.overrides import pasteable, program, typed_command, typed_overrides
from kaskad.runs import slurm
from kaskad.runs.folder import (
    REPORT,
    is_in_use,
    is_interrupted,
    is_run,
    read_environment,
    runs_below,
    when,
)
from kaskad.runs.resume import faults_of

log = logging.getLogger(__name__)

AUTO = "auto"


def run_folder(resume: str | None, runs: str, now: str, *, _root_: DictConfig | None = None) -> str:
    """The folder of a run: the new one ``runs/now``, or that of the run to go on with.

    ``resume`` names it: its folder, a checkpoint of it, or a folder of runs, of which the newest is
    taken that was interrupted. With ``auto`` it is the newest run in ``runs`` if that was
    interrupted; where no task was given, the newest interrupted run of any task to which the
    command's settings fit. A job that Slurm has queued again goes on with its own run.

    Of processes that torchrun or srun has started, the first chooses for all: another began at
    another time. Raises ``ConfigurationError`` where ``resume`` names nothing to go on with.
    """
    choose = partial(_choose_folder, resume, runs, now, _root_)
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return slurm.agreed(choose, Path(runs)) if slurm.several_tasks() else choose()
    from torch.distributed import TCPStore  # heavy

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"kaskad/run_folder/{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    if os.environ["RANK"] == "0":
        store.set(key, choose())
    return str(store.get(key).decode())


def sweep_folder(sweeps: str, now: str) -> str:
    """The folder of a sweep: the new one ``sweeps/now``; as a job of Slurm, one that the same
    command finds again when the job is queued again."""
    job = slurm.job_id()
    if job is None:
        return f"{sweeps}/{now}"
    command = hashlib.sha256(typed_command().encode()).hexdigest()
    return f"{sweeps}/job_{job}_{command[:8]}"


def goes_on(config: DictConfig, folder: Path) -> bool:
    """Whether a training goes on with what lies in its folder, rather than begins anew."""
    if config.resume == AUTO:
        return is_interrupted(folder)
    return bool(config.resume) or (is_interrupted(folder) and _began_the_same(folder))


def require_unused(folder: Path) -> None:
    """Raise ``ConfigurationError`` where a new run would overwrite an interrupted one in its
    folder; where it is a complete one, warn.

    A job of a sweep may: one that failed begins anew, and the sweep sees to the others.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return
    if is_interrupted(folder):
        raise ConfigurationError(
            f"{folder}: a run in this folder was interrupted, and a new one would overwrite it\n"
            f"go on with it: {pasteable('resume', str(folder))}; or give the new one another "
            "folder: hydra.run.dir=…"
        )
    if (folder / REPORT).exists():
        log.warning("%s: the complete run in this folder is overwritten by a new one", folder)


def interrupted_runs(runs: Path) -> list[Path]:
    """The runs in a folder that were interrupted and that nobody is at work on, newest first."""
    return [run for run in runs_below(runs) if is_interrupted(run) and not is_in_use(run)]


def _choose_folder(resume: str | None, runs: str, now: str, config: DictConfig | None) -> str:
    new = f"{runs}/{now}"
    if isinstance(resume, list | dict | ListConfig | DictConfig):
        raise ConfigurationError(f"resume={resume}: a run goes on alone; name one")
    if not resume:
        return str(_requeued(Path(runs)) or new)
    if resume != AUTO:
        return str(_named(Path(str(resume))))
    if config is None or any(override.startswith("task=") for override in typed_overrides()):
        newest = next(iter(_dated(Path(runs))), None)
        return str(newest) if newest and is_interrupted(newest) else new
    task = str(config.task)
    above = Path(runs.removesuffix(task)) if runs.endswith(task) else Path(runs)
    fitting = (run for run in interrupted_runs(above) if _fits(config, run))
    return str(next(fitting, new))


def _dated(runs: Path) -> list[Path]:
    """The runs <date>/<time> of a task: the order of the names is that of time."""
    return sorted(runs.glob("*-*-*/*-*-*"), key=when, reverse=True)


def _named(path: Path) -> Path:
    """The run that ``resume=path`` means."""
    if path.is_file():
        run = path.parent.parent
        if path.suffix == ".ckpt" and path.parent.name == "checkpoints":
            return run
        raise ConfigurationError(
            f"resume={path}: not a checkpoint in the folder of a run; name <run>/checkpoints/"
            "last.ckpt, the run's folder, or a folder of runs"
        )
    if not path.is_dir():
        beside = [each.name for each in path.parent.glob("*/")]
        question = did_you_mean(path.name, beside, f"{path.parent}/")
        raise ConfigurationError(f"resume={path}: there is no such run folder{question}")
    if is_run(path):
        return path
    if path.name == "checkpoints" and is_run(path.parent):
        return path.parent
    if (path / "multirun.yaml").exists():
        sweep = OmegaConf.load(path / "multirun.yaml")
        overrides = OmegaConf.select(sweep, "hydra.overrides.task", default=[])
        began = f"{program('train')} -m {shlex.join(map(str, overrides))}"
        raise ConfigurationError(
            f"resume={path}: this is a sweep; it goes on with the command that began it\n"
            f"{began} {pasteable('hydra.sweep.dir', str(path))}"
        )
    for run in runs_below(path):
        if is_interrupted(run) and not is_in_use(run):
            return run
    finished = next(iter(runs_below(path)), None)
    raise ConfigurationError(
        f"resume={path}: no run in this folder was interrupted; the newest, {finished}, is complete"
        if finished
        else f"resume={path}: no run in this folder has a checkpoint to go on from"
    )


def _fits(config: DictConfig, run: Path) -> bool:
    """Whether the settings of the command line are those of a run, by its config.yaml."""
    file = run / "config.yaml"
    return file.exists() and not faults_of(config, OmegaConf.load(file))  # type: ignore[arg-type]


def _requeued(runs: Path) -> Path | None:
    """The run that this very job of Slurm began, with the same command, before it was requeued."""
    if slurm.job_id() is None:
        return None
    return next((run for run in interrupted_runs(runs) if _began_the_same(run)), None)


def _began_the_same(folder: Path) -> bool:
    """Whether the run in ``folder`` is that of the same job of Slurm or of a sweep."""
    began = read_environment(folder)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return began.get("overrides") == typed_overrides()
    job = slurm.job_id()
    command = typed_command()
    return job is not None and began.get("slurm_job") == job and began.get("command") == command
