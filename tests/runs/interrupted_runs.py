"""Runs train.py in processes that get a signal in the middle of a step, for test_resuming; or in
several that work together, for test_distributed.

Each line of the input is a run: its working directory, its arguments, the step, the signal, and
what each of its processes is told in its environment; each line of the answer is its exit code.
What a run prints goes to output.txt. One process imports everything and each run is a fork of it:
nothing is trained in the process itself.
"""

import json
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

import kaskad.commands.train  # noqa: F401 - once, for all runs
from kaskad.models.recogniser import Recogniser

TRAIN = Path(__file__).resolve().parents[2] / "train.py"


def run(directory: str, arguments: list[str], step: int | None, number: int) -> None:
    os.setsid()
    signal.alarm(300)  # seconds until a run that hangs is ended

    def interrupt(module: Recogniser, *_: Any) -> None:
        if module.trainer.global_step == step:
            os.killpg(0, number)  # the data workers, too: as a terminal or a cluster does

    Recogniser.on_before_optimizer_step = interrupt
    os.chdir(directory)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    sys.argv = [str(TRAIN), *arguments]
    runpy.run_path(str(TRAIN), run_name="__main__")


def fork(environment: dict[str, str], *request: Any) -> int:
    """Begin a run in another process; returns its number."""
    process = os.fork()
    if process:
        return process
    os.environ.update(environment)
    rank_zero_only.rank = int(environment.get("RANK", 0))  # known since the import otherwise
    code: Any = 1
    try:
        run(*request)
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        os._exit(code)


def exit_code(
    directory: str,
    arguments: list[str],
    step: int | None,
    number: int,
    environments: Sequence[dict[str, str]] = ({},),
) -> int:
    forks = {fork(each, directory, arguments, step, number) for each in environments}
    first_failure = 0
    while forks:
        process, status = os.wait()
        forks.remove(process)
        code = os.waitstatus_to_exitcode(status)
        if code and not first_failure:
            first_failure = code
            for other in forks:  # it would wait for ever
                os.kill(other, signal.SIGKILL)
    return first_failure


if __name__ == "__main__":
    for line in sys.stdin:
        print(exit_code(*json.loads(line)), flush=True)
