"""What tests of runs share: train.py in processes that a signal interrupts, or several together."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

TRAIN = Path(__file__).resolve().parents[2] / "train.py"
# A signal to the process and its data workers, as from a terminal or a cluster.
INTERRUPT = """
import os
from kaskad.models.recogniser import Recogniser

def interrupt(module, *_):
    if module.trainer.global_step == {step}:
        os.killpg(0, {number})

Recogniser.on_before_optimizer_step = interrupt
"""
Run = Callable[..., int]


@pytest.fixture(scope="session")
def run(fork_server, free_port) -> Run:
    """Run train.py; returns the exit code, of several processes that of the first that fails.

    It may get a signal in the middle of a step. What it prints goes to output.txt.
    """

    def run_train(
        directory: Path,
        *arguments: str,
        step: int | None = None,
        number: int = signal.SIGKILL,
        processes: int = 1,
        environment: dict[str, str] | None = None,
    ) -> int:
        directory.mkdir(exist_ok=True)
        options = {"directory": directory, "together": True}
        if step is not None:
            options["first"] = INTERRUPT.format(step=step, number=int(number))
        environments = torchrun(processes, free_port()) if processes > 1 else [environment or {}]
        commands = [
            fork_server.start(TRAIN, *arguments, environment=environment, **options)
            for environment in environments
        ]
        at_work, first_failure = list(commands), 0
        while at_work:
            command, code = fork_server.wait(at_work)
            at_work.remove(command)
            if code and not first_failure:
                first_failure = code
                for other in at_work:  # it would wait for ever
                    other.kill(group=True)
        with (directory / "output.txt").open("a") as file:
            file.writelines(command.output for command in commands)
        return first_failure

    return run_train


def torchrun(processes: int, port: int) -> list[dict[str, str]]:
    """What torchrun tells each process of a run."""
    shared = {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "GROUP_RANK": "0",
    }
    return [shared | {"RANK": str(n), "LOCAL_RANK": str(n)} for n in range(processes)]
