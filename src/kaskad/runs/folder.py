"""The folder of a run: which one it is, whether its run was interrupted, and the lock on it.

Nothing heavy is imported here, because the folder is asked for before anything else.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kaskad.config.messages import ConfigurationError

AUTO = "auto"
# The checkpoints that a run can go on from: the newest, and the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


def run_folder(resume: str | None, runs: str, now: str) -> str:
    """The folder of a run: the new one ``runs/now``, or that of the run to go on with.

    ``resume`` is such a folder; or ``auto``: the newest run in ``runs`` if it was interrupted. Of
    processes that torchrun has started, the first chooses for all: another began at another time.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return _choose_folder(resume, runs, now)
    from torch.distributed import TCPStore  # heavy

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"kaskad/run_folder/{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    if os.environ["RANK"] == "0":
        store.set(key, _choose_folder(resume, runs, now))
    return str(store.get(key).decode())


def _choose_folder(resume: str | None, runs: str, now: str) -> str:
    if resume is None:
        return f"{runs}/{now}"
    if resume != AUTO:
        if not Path(resume).is_dir():
            raise ConfigurationError(f"resume={resume}: there is no such run folder")
        return resume
    # <date>/<time> of a run: the order of the names is that of time.
    newest = max(Path(runs).glob("*-*-*/*-*-*"), default=None, key=lambda run: run.parts[-2:])
    if newest is None or not is_interrupted(newest):
        return f"{runs}/{now}"
    return str(newest)


def is_interrupted(run: Path) -> bool:
    """Whether a run has a checkpoint to go on from, and has not come to its report."""
    kept = any((run / "checkpoints" / name).exists() for name in (LAST, PREVIOUS))
    return kept and not (run / "report.json").exists()


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run folder; raises ``ConfigurationError`` where another process does.

    It is free again when this process ends, however that happens.
    """
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):  # others: no locks on this disk
                raise ConfigurationError(
                    f"{folder}: another process is at work in this run folder; wait for its end, "
                    "or begin a run of its own a second later"
                ) from error
        yield


def add_environment(folder: Path, made: dict[str, Any]) -> dict[str, Any]:
    """The environment in which the run in ``folder`` began, and after it those it went on in."""
    began = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    began.setdefault("resumed", []).append(made)
    return began
