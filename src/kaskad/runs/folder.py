"""The folder of a run: what lies in it, and who is at work there.

Nothing heavy is imported here, for the folder of a run is asked for before anything else.
"""

import errno
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from kaskad.config.messages import ConfigurationError

# The checkpoints from which a run can go on: the newest, and the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
BEST = "best.ckpt"  # which has the weights that are tested
LOCK = ".lock"
ENVIRONMENT = "environment.json"
REPORT = "report.json"  # written last: where it stands, the run is finished


def is_interrupted(run: Path) -> bool:
    """Whether a run has a checkpoint to go on from, and has not come to its report."""
    kept = any((run / "checkpoints" / name).exists() for name in (LAST, PREVIOUS))
    return kept and not (run / REPORT).exists()


def when(run: Path) -> str:
    """When a run began, by its name, or else by its last checkpoint; to be sorted by."""
    named = "/".join(run.parts[-2:])
    try:
        datetime.strptime(named[:19], "%Y-%m-%d/%H-%M-%S")
    except ValueError:
        files = [run / "checkpoints" / name for name in (LAST, PREVIOUS)]
        newest = max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
        return f"{datetime.fromtimestamp(newest):%Y-%m-%d/%H-%M-%S}"
    return named


def runs_below(folder: Path) -> list[Path]:
    """All runs in a folder that have, or had, something to go on from; the newest first."""
    found = {file.parent.parent for file in folder.rglob(f"checkpoints/{LAST}")}
    found |= {file.parent.parent for file in folder.rglob(f"checkpoints/{PREVIOUS}")}
    return sorted(found, key=when, reverse=True)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of one run, or of one evaluation, and not one of many."""
    return any((folder / name).exists() for name in ("checkpoints", ENVIRONMENT, "plan.json"))


def is_in_use(folder: Path) -> bool:
    """Whether another process is at work in a run folder. Not to be asked within ``run_lock``."""
    try:
        with run_lock(folder):
            return False
    except (ConfigurationError, OSError):
        return True


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the folder of a run or a sweep; raises ``ConfigurationError`` where another one does.

    It is free again when this process ends, however that happens.
    """
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):  # others: no locks on this disk
                raise ConfigurationError(
                    f"{folder}: another process is at work in this folder; wait for its end, or "
                    "have this command work in a folder of its own"
                ) from error
        yield


def read_environment(folder: Path) -> dict[str, Any]:
    """The environment in which the run in ``folder`` began; empty where that is not known."""
    try:
        return dict(json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def add_environment(folder: Path, made: dict[str, Any]) -> dict[str, Any]:
    """The environment in which the run in ``folder`` began, and after it those it went on in."""
    began = read_environment(folder)
    began.setdefault("resumed", []).append(made)
    return began
