"""A sweep over a grid: it survives a dead job, and the same command again goes on with it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import kaskad.cli.command

ROOT = Path(__file__).parents[2]
PROJECT = {
    "train.py": '''
"""Train a tiny net."""
from kaskad.cli.command import command

@command("train", figures=lambda config: ["validation/wer"])
def main(config):
    from tiny import train
    return train(config)

if __name__ == "__main__":
    main()
''',
    "tiny.py": """
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from kaskad.runs.stop_signals import StopSignals

def wait_for_a_signal(seed):
    signals = StopSignals()
    signals.listen()
    Path(f"waiting-{seed}").touch()
    while len([*Path().glob("waiting-*")]) < 2:
        time.sleep(0.05)
    if seed == 1:
        os.kill(os.getppid(), signal.SIGTERM)  # the sweep alone gets it
    while not signals.received:
        time.sleep(0.05)
    Path(f"stopped-{seed}").touch()
    raise SystemExit(128 + signals.received)

def train(config):
    if Path("wait").exists():
        wait_for_a_signal(config.seed)
    print("trained", config.seed, flush=True)
    if Path(f"dying-{config.seed}").exists():
        os._exit(9)
    if Path("spawning").exists():  # as a corpus is synthesised
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(abs, -1).result() == 1
    return {"validation/wer": 1 / (1 + config.seed)}
""",
    "conf/train.yaml": """
defaults: [run_folder, _self_]
task: tiny
seed: 0
optimised_metric: validation/wer
""",
}


@pytest.fixture
def sweep(make_project, tmp_path):
    """Run a sweep of the tiny project into the folder ``mine``; returns code and output."""
    run_folder = (ROOT / "conf/run_folder.yaml").read_text()
    make_project({**PROJECT, "conf/run_folder.yaml": run_folder})
    source = str(Path(kaskad.cli.command.__file__).parents[2])

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "train.py", "-m", "hydra.sweep.dir=mine", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": source, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    return run


def rows(output: str) -> list[str]:
    return [line for line in output.splitlines() if line[:1] == "│"]


@pytest.mark.slow
def test_the_same_command_goes_on_and_another_one_leaves_it_alone(sweep, tmp_path) -> None:
    (tmp_path / "dying-1").touch()  # and with it the sweep: its jobs share one process
    code, output = sweep("seed=0,1,2")
    assert code == 9, output
    (tmp_path / "dying-1").unlink()
    code, output = sweep("seed=0,1,2")
    assert code == 0, output
    assert "job 0 is done: its result is kept" in output
    assert [line for line in output.splitlines() if "trained" in line] == ["trained 1", "trained 2"]
    assert len(rows(output)) == 3
    code, output = sweep("seed=7")
    assert code == 0, output
    (row,) = rows(output)
    assert "0.125" in row
    (aside,) = (tmp_path / "mine").glob("0_before_*")
    assert json.loads((aside / "result.json").read_text())["overrides"] == ["seed=0"]
    assert (tmp_path / "mine/1/result.json").exists()


@pytest.mark.parametrize(
    "launcher",
    [
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        pytest.param(
            ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"],
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_job_alone(launcher, sweep, tmp_path) -> None:
    (tmp_path / "dying-1").touch()
    code, output = sweep("seed=0,1,2,3", *launcher)
    assert code == 1, output
    dead = [row for row in rows(output) if "its process ended before it could tell why" in row]
    assert len(rows(output)) == 4
    assert len(dead) == 1 and "seed=1" in dead[0]


@pytest.mark.slow
def test_a_signal_to_the_sweep_stops_its_jobs_where_they_can_go_on(sweep, tmp_path) -> None:
    (tmp_path / "wait").touch()
    arguments = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1,2"]
    code, output = sweep(*arguments)
    assert code == 128 + signal.SIGTERM, output
    assert {file.name for file in tmp_path.glob("stopped-*")} == {"stopped-0", "stopped-1"}
    assert "to go on with this sweep: python train.py -m hydra/launcher=joblib" in output


@pytest.mark.parametrize(("accelerator", "at_once"), [("cpu", True), ("gpu", False)])
def test_jobs_on_a_processor_run_side_by_side_by_default(
    accelerator: str, at_once: bool, sweep, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("KASKAD_JOBS", "2")
    (tmp_path / "spawning").touch()
    code, output = sweep("seed=0,1", f"+trainer.accelerator={accelerator}")
    assert code == 0, output
    assert len(rows(output)) == 2
    assert ("2 jobs at once" in output) == at_once


def test_an_objective_that_does_not_exist_is_refused_before_the_first_job(sweep, tmp_path) -> None:
    code, output = sweep("seed=0,1", "optimised_metric=validation/wre")
    assert code == 1
    assert (
        "optimised_metric=validation/wre: nothing that a sweep can choose by; did you mean "
        "validation/wer?" in output
    )
    assert "trained" not in output
