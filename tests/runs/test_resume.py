"""An interrupted run goes on where it stopped, and ends as if nothing had happened, to the bit."""

import csv
import fcntl
import json
import os
import random
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kaskad.commands.train import train
from kaskad.config.messages import ConfigurationError
from kaskad.data.checks import DataError
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.stop_signals import NUMBERS

CHANNELS = "model.encoder.channels=[4,4]"
# Dropout and every kind of augmentation on: random numbers are drawn wherever they can be.
SETTINGS = [
    "data=table",
    "overlap=none",
    "augment=full",
    "logger=csv",
    "trainer.max_epochs=3",
    "trainer.precision=32-true",
    "trainer.log_every_n_steps=1",
    "trainer.enable_progress_bar=false",
    "trainer.enable_model_summary=false",
    "datamodule.workers=1",
    "datamodule.batch_seconds=6",
    "datamodule.cache=null",
    "model.encoder.hidden_size=16",
    "model.encoder.layers=1",
    CHANNELS,
    "disk_reserve=0.1",
]
STEPS = 39  # in three epochs
EVERY = "callbacks.last_checkpoint.every_n_steps"
# Parts of the names of what no two runs have in common.
MEASURED = ("seconds", "minutes", "/time/", "/memory/")
Run = Callable[..., int]
# What a job finds in its environment, each with SLURM_ before it.
SLURM = {"JOB_ID": "77", "JOB_NAME": "train", "NTASKS": "1", "NNODES": "1", "NODELIST": "localhost"}
SLURM |= {"PROCID": "0", "LOCALID": "0", "NODEID": "0"}


@pytest.fixture(scope="module")
def settings(tone_corpus: Path) -> list[str]:
    return [*SETTINGS, f"data.root={tone_corpus}"]


@pytest.fixture(scope="module")
def whole(run: Run, settings: list[str], tmp_path_factory) -> Path:
    """The folder of a run that nothing interrupted."""
    directory = tmp_path_factory.mktemp("whole")
    assert run(directory, *settings, "hydra.run.dir=run") == 0
    return directory / "run"


def losses(folder: Path) -> dict[tuple[str, str], str]:
    """Everything that was logged but clocks and memory, by its name and step, as it was written."""
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    logged = [
        ((name, row["step"]), value)
        for row in rows
        for name, value in row.items()
        if value and name not in ("step", "epoch") and not any(word in name for word in MEASURED)
    ]
    assert len(dict(logged)) == len(logged), "something was logged twice for one step"
    return dict(logged)


def checkpoint(folder: Path, name: str = "last.ckpt") -> dict:
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def assert_same_run(one: Path, other: Path) -> None:
    """Same losses, weights, optimizer and report, to the bit."""
    assert losses(one) == losses(other)
    for name in ("last.ckpt", "best.ckpt"):
        here, there = checkpoint(one, name), checkpoint(other, name)
        for part in ("state_dict", "optimizer_states"):
            torch.testing.assert_close(here[part], there[part], rtol=0, atol=0)
        for part in ("lr_schedulers", "global_step"):
            assert here[part] == there[part]
    report, twin = (json.loads((run / "report.json").read_text()) for run in (one, other))
    assert report["corpora"]["test"]["figures"] == twin["corpora"]["test"]["figures"]
    for name in ("best", "epochs", "steps"):
        assert report["training"][name] == twin["training"][name]


def go_through(run: Run, directory: Path, settings: list[str], kills: list[int]) -> Path:
    """Begin a run, kill it at these steps, each time going on with it; then let it end."""
    for count, step in enumerate(kills):
        arguments = ["resume=run"] if count else [*settings, "hydra.run.dir=run"]
        assert run(directory, *arguments, step=step) == -signal.SIGKILL
    assert run(directory, "resume=run") == 0, (directory / "output.txt").read_text()
    return directory / "run"


@pytest.mark.slow
def test_the_command_in_environment_json_repeats_the_run(run: Run, whole, tmp_path) -> None:
    environment = json.loads((whole / "environment.json").read_text())
    _, script, *arguments = shlex.split(environment["command"])
    assert Path(script).name == "train.py"
    assert run(tmp_path, *arguments) == 0
    assert losses(tmp_path / "run").keys() >= {("training/loss_step", str(STEPS - 1))}
    assert_same_run(tmp_path / "run", whole)
    assert run(tmp_path, *arguments, "seed=1", "hydra.run.dir=other") == 0
    assert losses(tmp_path / "other") != losses(whole)


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_the_same(run, settings, whole, tmp_path) -> None:
    kills = sorted(random.Random(0).sample(range(14, STEPS), 3))
    folder = go_through(run, tmp_path, [*settings, f"{EVERY}=4"], kills)
    assert_same_run(folder, whole)
    assert len(json.loads((folder / "environment.json").read_text())["resumed"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_is_stopped_at_random_ends_the_same(
    seed, run, settings, whole, tmp_path
) -> None:
    draw = random.Random(seed)
    every, number = draw.choice(["null", 1, 3, 5]), draw.choice([signal.SIGKILL, *NUMBERS])
    step = draw.randrange(14 if every == "null" else 6, STEPS)
    code = -number if number == signal.SIGKILL else 128 + number
    begin = [*settings, f"{EVERY}={every}", "hydra.run.dir=run"]
    assert run(tmp_path, *begin, step=step, number=number) == code
    assert run(tmp_path, "resume=run") == 0, (tmp_path / "output.txt").read_text()
    assert_same_run(tmp_path / "run", whole)


VARIANTS = {
    "half steps, rare validation": [
        "scheduler=plateau",
        "trainer.accumulate_grad_batches=2",
        "trainer.check_val_every_n_epoch=2",
    ],
    "a number of steps": ["trainer.max_steps=30", "optimizer=sgd", "datamodule.workers=0"],
    "two corpora": [
        "model=cascade_lstm",
        "+data.corpora.other={_target_: kaskad.data.Corpus, role: train_ext, "
        "language: en, split: validation, manifest: '${data.source}'}",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_run_goes_on(name: str, run: Run, settings, tmp_path) -> None:
    overrides = [*settings, *VARIANTS[name], f"{EVERY}=3"]
    if "model=cascade_lstm" in overrides:
        overrides.remove(CHANNELS)
        overrides = [each.replace("encoder.", "encoder.shared.") for each in overrides]
    assert run(tmp_path / "whole", *overrides, "hydra.run.dir=run") == 0
    folder = go_through(run, tmp_path / "killed", overrides, [8, 17])
    assert_same_run(folder, tmp_path / "whole" / "run")


ALIKE = [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.slow) for each in ALIKE)]
)
def test_a_signal_ends_the_run_after_the_step(number, run, settings, whole, tmp_path) -> None:
    assert run(tmp_path, *settings, step=20, number=number) == 128 + number
    output = (tmp_path / "output.txt").read_text()
    (folder,) = tmp_path.glob("runs/cnn2d_lstm_table/*-*-*/*-*-*")
    assert f"stopped by {number.name} after step 21" in output
    assert f"train.py resume={folder}" in output
    assert "Traceback" not in output
    assert checkpoint(folder)["global_step"] == 21
    assert run(tmp_path, *settings, "resume=auto") == 0
    assert_same_run(folder, whole)


def test_a_slurm_job_is_queued_again_and_goes_on_by_itself(run, settings, whole, tmp_path) -> None:
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked.txt\n')
    (tmp_path / "scontrol").chmod(0o755)
    slurm = {f"SLURM_{name}": value for name, value in SLURM.items()}
    slurm["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    number = signal.SIGUSR1
    assert run(tmp_path, *settings, step=20, number=number, environment=slurm) == 128 + number
    assert (tmp_path / "asked.txt").read_text() == "requeue 77\n"
    assert not [*tmp_path.rglob("hpc_ckpt*")]
    assert run(tmp_path, *settings, environment=slurm) == 0  # the same command, once more
    (folder,) = tmp_path.glob("runs/cnn2d_lstm_table/*-*-*/*-*-*")
    assert_same_run(folder, whole)


@pytest.mark.slow
def test_trackers_hold_no_step_twice(run: Run, settings, tmp_path, monkeypatch) -> None:
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    trackers = {"MLFLOW_TRACKING_URI": database}
    overrides = [each for each in settings if not each.startswith("logger=")]
    overrides += ["logger=[tensorboard,mlflow]", f"{EVERY}=4", "hydra.run.dir=run"]
    assert run(tmp_path, *overrides, step=23, environment=trackers) == -signal.SIGKILL
    assert run(tmp_path, "resume=run", environment=trackers) == 0
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"), {"scalars": 0})
    events.Reload()
    for name in {*events.Tags()["scalars"]} - {"epoch"}:  # which comes with whatever is logged
        steps = [event.step for event in events.Scalars(name)]
        assert len(set(steps)) == len(steps), name
    assert len(events.Scalars("training/loss_step")) == STEPS
    client = MlflowClient(database)
    (kept,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    for name in {*kept.data.metrics} - {"epoch"}:
        steps = [metric.step for metric in client.get_metric_history(kept.info.run_id, name)]
        assert len(set(steps)) == len(steps), name
    assert len(client.get_metric_history(kept.info.run_id, "training/loss_step")) == STEPS


@pytest.fixture
def stopped(run: Run, settings, tone_corpus, tmp_path) -> tuple[Path, Path]:
    """The folder of a run that was stopped, and that of its corpus, a copy."""
    corpus = shutil.copytree(tone_corpus, tmp_path / "corpus")
    run(tmp_path, *settings, f"data.root={corpus}", "hydra.run.dir=run", step=30, number=15)
    return tmp_path / "run", corpus


@pytest.mark.slow
def test_a_torn_checkpoint_is_recognised_and_the_one_before_taken(
    stopped, compose, caplog, capfd
) -> None:
    folder, _ = stopped
    last, previous = (folder / "checkpoints" / f"{name}.ckpt" for name in ("last", "previous"))
    assert checkpoint(folder)["global_step"] > checkpoint(folder, "previous.ckpt")["global_step"]
    last.write_bytes(last.read_bytes()[:-1000])
    train(compose("train", folder, f"resume={folder}"))
    assert "last.ckpt: torn" in caplog.text
    assert checkpoint(folder)["global_step"] == STEPS
    assert not previous.exists()
    (folder / "report.json").unlink()
    last.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"last\.ckpt: .*\n.*anew.*init_from=.*best\.ckpt"):
        train(compose("train", folder, f"resume={folder}"))


@pytest.mark.slow
def test_what_may_change_does_and_another_run_is_refused(
    stopped, compose, monkeypatch, caplog, tmp_path
) -> None:
    folder, corpus = stopped
    resume = f"resume={folder}"
    for overrides, told in (
        (["augment.features.time_masks=7"], r"augment\.features\.time_masks is 7 .* in the run"),
        (["model=lstm"], r"model\.encoder\._target_ is .*RecurrentEncoder .* and .*CNN2dLSTM"),
        (["data=digits"], r"data\.source\._target_ is .*digits"),
        (["optimizer.lr=0.5"], r"optimizer\.lr is 0\.5 .* and 0\.004 in the run"),
        (["debug=overfit"], r"trainer\.overfit_batches is 2 .* and None in the run"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            train(compose("train", folder, resume, *overrides))
    manifest = (corpus / "manifest.csv").read_text()
    (corpus / "manifest.csv").write_text(manifest.replace(",два,train", ",три,train", 1))
    with pytest.raises(DataError, match="not the one that this run began with"):
        train(compose("train", folder, resume))
    (corpus / "manifest.csv").write_text(manifest)
    caplog.set_level("INFO")
    monkeypatch.setenv("KASKAD_NOTIFY", "json://localhost:9")  # to a service that is away
    notices = ["callbacks=notices", "callbacks.notices.attempts=1", "callbacks.notices.patience=1"]
    train(compose("train", folder, resume, "datamodule.workers=0", "seed=0", *notices))
    assert "callbacks.notices.prefix is ${task} from here on" in caplog.text
    (folder / "report.json").unlink()
    moved = tmp_path / "elsewhere" / "run"
    shutil.move(folder, moved)  # and so has its corpus
    shutil.move(corpus, tmp_path / "moved corpus")
    resume, folder = f"resume={moved}", moved
    with pytest.raises(FileNotFoundError):
        train(compose("train", folder, resume))
    place = f"data.root='{tmp_path / 'moved corpus'}'"
    train(compose("train", folder, resume, place))  # what is left to do is the test
    assert json.loads((folder / "report.json").read_text())["training"]["steps"] == STEPS


def test_two_processes_do_not_share_a_run_folder(run: Run, settings, tmp_path) -> None:
    with (tmp_path / ".lock").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert run(tmp_path, *settings, f"hydra.run.dir={tmp_path}") == 1
    assert "another process is at work in this folder" in (tmp_path / "output.txt").read_text()
