"""Which run `resume=…` means, by whatever name a person gives it."""

import json
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

import kaskad.cli.resolvers  # noqa: F401 - registers them
from kaskad.config.messages import ConfigurationError, explain
from kaskad.runs.folder import run_lock
from kaskad.runs.which_run import goes_on, require_unused, run_folder, sweep_folder


@pytest.fixture
def make_run(tmp_path: Path):
    """A run that was interrupted, or finished, with the settings of its config.yaml."""

    def make(name: str, settings: str = "seed: 0", *, finished: bool = False, **made) -> Path:
        run = tmp_path / "runs" / name
        (run / "checkpoints").mkdir(parents=True)
        (run / "checkpoints" / "last.ckpt").touch()
        (run / "config.yaml").write_text(settings)
        (run / "environment.json").write_text(json.dumps(made))
        if finished:
            (run / "report.json").touch()
        return run

    return make


@pytest.fixture
def auto(compose, tmp_path: Path):
    """The folder that `resume=auto` and further words lead to."""

    def choose(*overrides: str) -> str:
        config = compose("train", tmp_path, *overrides)
        return run_folder("auto", f"{tmp_path}/runs/{config.task}", "new", _root_=config)

    return choose


def test_the_newest_run_is_so_by_time(make_run, tmp_path) -> None:
    for name in ("a/2026-01-31/23-59-59", "a/2025-12-31/23-00-00"):
        make_run(name)
    newest = make_run("a/2026-02-01/00-00-01")
    runs = str(tmp_path / "runs" / "a")
    assert run_folder("auto", runs, "new") == run_folder(runs, "runs", "new") == str(newest)
    (newest / "report.json").touch()
    assert run_folder("auto", runs, "new") == f"{runs}/new"
    assert run_folder(None, runs, "new") == run_folder("", runs, "new") == f"{runs}/new"


def test_a_run_may_be_named_by_its_folder_its_checkpoint_or_the_folder_of_runs(make_run) -> None:
    run = make_run("a/2026-01-01/00-00-00")
    make_run("a/2026-01-02/00-00-00", finished=True)
    checkpoints = run / "checkpoints"
    for name in (run, checkpoints, checkpoints / "last.ckpt", run.parent.parent, run.parents[2]):
        assert run_folder(str(name), "runs", "new") == str(run)
    with run_lock(run):  # this very process has it, and so may have it again
        assert run_folder(str(run), "runs", "new") == str(run)


def test_what_is_no_run_is_refused_with_what_there_is(make_run, tmp_path) -> None:
    run = make_run("a/2026-01-01/00-00-00", finished=True)
    sweep = tmp_path / "runs" / "sweeps" / "mine"
    sweep.mkdir(parents=True)
    (sweep / "multirun.yaml").write_text("hydra: {overrides: {task: ['seed=0,1']}}")
    (run / "notes.txt").touch()
    for name, told in (
        (f"{run}s", f"no such run folder; did you mean {run}"),
        (run / "notes.txt", "not a checkpoint in the folder of a run"),
        (run.parents[1], f"no run in this folder was interrupted; the newest, {run}, is complete"),
        (sweep, rf"kaskad train -m seed=0,1 hydra.sweep.dir={sweep}"),
        (sweep.parent, "no run in this folder has a checkpoint to go on from"),
    ):
        with pytest.raises(ConfigurationError) as error:
            run_folder(str(name), "runs", "new")
        assert told in str(error.value).replace("\n", " ")


@pytest.mark.parametrize(
    ("resume", "told"),
    [
        ("nowhere", "resume=nowhere: there is no such run folder"),
        ("3", "resume=3: there is no such run folder"),
        ("[a,b]", "resume=['a', 'b']: a run goes on alone; name one"),
    ],
)
def test_what_a_configuration_cannot_resume_is_told_without_its_wrapping(resume, told) -> None:
    config = OmegaConf.create({"dir": f"${{run_folder:{resume},runs,new}}"})
    with pytest.raises(OmegaConfBaseException) as error:
        OmegaConf.select(config, "dir")
    assert explain(error.value) == told


def test_auto_takes_the_newest_interrupted_run_of_any_task_that_fits(
    make_run, auto, compose, tmp_path
) -> None:
    def settings(seed: int) -> str:
        return OmegaConf.to_yaml(compose("train", tmp_path, f"seed={seed}"), resolve=True)

    other = make_run("other/2026-01-01/00-00-00", settings(seed=3))
    newer = make_run("mine/2026-01-02/00-00-00", settings(seed=4))
    make_run("mine/2026-01-03/00-00-00", finished=True)
    assert auto() == str(newer)
    assert auto("seed=3") == str(other)
    assert auto("seed=3", "nearest=5") == str(other)  # which may change
    assert auto("seed=5") == f"{tmp_path}/runs/cnn2d_lstm_numbers/new"
    assert auto("task=other") == str(other)
    assert auto("task=mine") == f"{tmp_path}/runs/mine/new"  # whose newest run is complete


def test_a_job_that_slurm_has_queued_again_goes_on_with_its_own_run(
    make_run, compose, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py", "seed=3"])
    run = make_run("a/2026-01-01/00-00-00", slurm_job="77_3", command="python train.py seed=3")
    make_run("a/2026-01-02/00-00-00", slurm_job="77_4", command="python train.py seed=3")
    make_run("a/2026-01-03/00-00-00", slurm_job="77_3", command="python train.py seed=4")
    runs = str(tmp_path / "runs" / "a")
    config = compose("train", tmp_path)
    assert run_folder(None, runs, "new") == f"{runs}/new"
    assert not goes_on(config, run)
    monkeypatch.setenv("SLURM_JOB_ID", "80")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert run_folder(None, runs, "new") == str(run)
    assert goes_on(config, run)
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")  # somebody sits there, and types commands
    assert run_folder(None, runs, "new") == f"{runs}/new"


def test_a_sweep_that_slurm_has_queued_again_finds_its_folder(monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "seed=0,1"])
    assert sweep_folder("runs/sweeps", "now") == "runs/sweeps/now"
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    folder = sweep_folder("runs/sweeps", "now")
    assert folder == sweep_folder("runs/sweeps", "later") != "runs/sweeps/now"
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "seed=0,2"])
    assert sweep_folder("runs/sweeps", "now") != folder


def test_of_tasks_that_srun_has_started_the_first_chooses(make_run, tmp_path, monkeypatch) -> None:
    runs = str(tmp_path / "runs")
    for name, value in (("JOB_ID", "77"), ("STEP_ID", "0"), ("NTASKS", "2"), ("PROCID", "0")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert run_folder(None, runs, "now") == f"{runs}/now"
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert run_folder(None, runs, "later") == f"{runs}/now"
    monkeypatch.setattr("kaskad.runs.slurm.PATIENCE", 0)
    monkeypatch.setenv("SLURM_STEP_ID", "1")
    with pytest.raises(TimeoutError, match="the first task of this step"):
        run_folder(None, runs, "later")


def test_a_new_run_does_not_overwrite_one_that_was_interrupted(make_run, compose, caplog) -> None:
    interrupted, complete = make_run("a/1"), make_run("a/2", finished=True)
    compose("train", interrupted)
    require_unused(interrupted.parent)
    with pytest.raises(ConfigurationError, match=rf"overwrite it\n.*resume={interrupted}; or give"):
        require_unused(interrupted)
    assert not caplog.text
    require_unused(complete)
    assert f"{complete}: the complete run in this folder is overwritten" in caplog.text


def test_a_job_of_a_sweep_goes_on_in_its_folder_and_another_one_does_not(make_run, compose) -> None:
    run = make_run("sweeps/mine/0", overrides=["disk_reserve=0.1", "seed=3"])
    for overrides, expected in ((["seed=3"], True), (["seed=4"], False)):
        config = compose("train", run, *overrides)
        hydra = HydraConfig.get()
        with flag_override(hydra, "readonly", False):
            hydra.mode = RunMode.MULTIRUN
            hydra.overrides.task = ["disk_reserve=0.1", *overrides]
        assert goes_on(config, run) is expected
