import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

import kaskad.cli.command  # which also puts the experiments on Hydra's search path

PROJECT = {
    "tiny.py": """
import os, sys, time
from hydra.utils import instantiate
from hydra.experimental.callback import Callback

class Net:
    def __init__(self, width: int, rate: float = 0.1):
        print("built")
        if width > 100:
            raise RuntimeError("no memory for that width")

class Watch(Callback):
    def on_job_end(self, config, job_return, **kwargs):
        print("the sweeper learns", job_return.return_value)

def train(config):
    instantiate(config.model)
    print("in a job, HYDRA_FULL_ERROR =", os.environ["HYDRA_FULL_ERROR"])
    match config.fate:
        case "full":
            raise OSError(28, "No space left on device", "last.ckpt")
        case "bad row":
            try:
                int("forty")
            except ValueError as error:
                raise ValueError("train.csv, row 7: no number") from error
        case "wait" | "wait as Lightning":
            print("waiting", flush=True)
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                if config.fate == "wait":
                    raise
                sys.exit(1)
    return {"wer": 1 / config.model.width, "loss": 2.0}
""",
    "needs_more.py": "import no_such_library\n",
    "conf/train.yaml": """
defaults: [model: small, trainer: cpu, _self_]
fate: good
seed: 0
optimised_metric: wer
""",
    "conf/trainer/cpu.yaml": "max_epochs: 3\ndevices: 1\n",
    "conf/model/small.yaml": "_target_: tiny.Net\nwidth: 4\nrate: 0.1\n",
    "conf/model/open.yaml": "_target_: tiny.Net\nwidth: ???\nrate: ???\n",
    "conf/model/misspelt.yaml": "_target_: tiny.Net\nwidht: 4\n",
    "conf/model/unmet.yaml": "_target_: needs_more.Net\n",
    "conf/model/broken.yaml": "_target_: tiny.Net\nsizes: [1, 2\nwidth: 4\n",
    "experiments/wide.yaml": "# @package _global_\nmodel: {width: 8}\n",
    "runs/old/config.yaml": "fate: good\n",
}


@pytest.fixture
def project(make_project):
    return make_project(PROJECT)


@pytest.fixture
def start(fork_server, project):
    """Begin train.py of the project."""

    def start_train(*arguments, directory=project, environment=None, **options):
        environment = {"HYDRA_FULL_ERROR": "0", **(environment or {})}
        script = project / "train.py"
        return fork_server.start(
            script, *arguments, directory=directory, environment=environment, **options
        )

    return start_train


@pytest.fixture
def run(start):
    """Run train.py of the project; returns the exit code, the output and the errors."""

    def run_train(*arguments, **options):
        command = start(*arguments, **options)
        return command.wait(), command.output, command.errors

    return run_train


def test_a_run_that_succeeds_prints_no_errors(run):
    code, output, errors = run()
    assert (code, errors) == (0, "")
    assert "in a job, HYDRA_FULL_ERROR = 0" in output  # also for the processes that a job starts


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trainer.max_epochz=3"], ["did you mean trainer.max_epochs?", "has max_epochs, devices"]),
        (["modle=small"], ["modle: no such option or group; did you mean model?", "experiments"]),
        (["+experiment=wide"], ["+experiment=wide: no such group; did you mean +experiments?"]),
        (["model=smal"], ["model=smal: no such choice; did you mean small?", "small, broken, "]),
        (["+experiments=wid"], ["experiments=wid: no such choice; did you mean wide?"]),
        (["model=open"], ["no value yet for model.width (model=open), model.rate (model=open)"]),
        (["seed=abc"], ["seed='abc': wants int, as in seed=0"]),
        (["model.width=abc"], ["model.width='abc' (model=small): tiny.Net wants int"]),
        (["model=misspelt"], ["model.widht (model=misspelt): tiny.Net takes no widht", "width?"]),
        (["model=unmet"], ["model (model=unmet)", "needs_more.Net", "module named 'no_such_lib"]),
        (["fate=[1"], ["fate=[1: cannot be read as key=value", "at input '[1'"]),
        (["fate good"], ["fate good: cannot be read as key=value"]),
        (["fate=a,b"], ["several values", "add -m", '"fate=[a,b]"', """fate='a,b'"""]),
        (["fate=5"], ["""fate=5: wants text; in quotes it is: "fate='5'\""""]),
        (["~model.widht"], ["~model.widht: no such option; did you mean ~model.width?", "rate"]),
        (["--seed=3"], ["--seed=3: no such option", "is written without dashes: seed=3"]),
        (["model=broken"], ["conf/model/broken.yaml, line 3: expected ',' or ']', but got ':'"]),
        (["fate=${fat}"], ["fate: Interpolation key 'fat' not found"]),
    ],
)
def test_a_mistake_is_explained_in_three_lines_before_anything_is_built(run, arguments, told):
    code, output, errors = run(*arguments)
    assert code == 1
    assert all(words in errors for words in told), errors
    assert len(errors.splitlines()) <= 3
    assert "built" not in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fate=full"], ["OSError: [Errno 28] No space left on device: 'last.ckpt'"]),
        (
            ["fate=bad row"],
            [
                "train.csv, row 7: no number",
                "because of invalid literal for int() with base 10: 'forty'",
            ],
        ),
        (
            ["model.width=200"],
            ["model: Error in call to target 'tiny.Net'", "RuntimeError: no memory for that width"],
        ),
    ],
)
def test_an_error_in_a_run_is_told_briefly_and_its_traceback_kept_in_the_log(
    run, project, arguments, told
):
    code, _, errors = run(*arguments, "hydra.run.dir=run")
    assert code == 1
    assert errors.splitlines()[:-1] == told
    log = project / "run" / "train.log"
    assert errors.splitlines()[-1] == f"HYDRA_FULL_ERROR=1 shows the traceback, so does {log}"
    assert "Traceback (most recent call last)" in log.read_text()
    assert told[-1].removeprefix("because of ") in log.read_text()


@pytest.mark.parametrize("arguments", [["fate=full"], ["model=smal"]])
def test_the_whole_traceback_is_printed_on_demand(run, arguments):
    code, _, errors = run(*arguments, environment={"HYDRA_FULL_ERROR": "1"})
    assert code == 1
    assert "Traceback (most recent call last)" in errors


def test_what_is_printed_without_a_console_goes_to_no_file(run, project):
    code, _, _ = run("hydra.run.dir=run", first="import os; os.close(1); os.close(2)")
    assert code == 0
    files = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert project / "run" / "train.log" in files
    assert not [path for path in files if "in a job, HYDRA_FULL" in path.read_text()]


@pytest.mark.parametrize("fate", ["wait", "wait as Lightning"])
def test_ctrl_c_ends_a_run_with_one_line(start, fate):
    process = start(f"fate={fate}")
    process.wait_until_it_prints("waiting\n")
    process.kill(signal.SIGINT)
    assert (process.wait(), process.errors) == (130, "Interrupted.\n")


def test_help_is_short_and_imports_nothing_heavy(project):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", project / "train.py", "--help"],
        env={**os.environ, "PYTHONPATH": str(Path(kaskad.cli.command.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    output, imports = done.stdout, done.stderr
    assert done.returncode == 0, imports
    assert "Train a tiny net: `python train.py model=small`." in output
    assert (
        "experiments: wide\nmodel: broken, misspelt, open, small, unmet\ntrainer: cpu\n" in output
    )
    assert "max_epochs" not in output
    imported = {line.split("|")[-1].strip() for line in imports.splitlines()}
    assert "kaskad.cli.command" in imported
    assert not imported & {"tiny", "torch", "lightning", "pytorch_lightning", "polars", "numpy"}


def test_experiments_are_found_from_any_folder(run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    code, output, _ = run("+experiments=wide", "--cfg", "job", directory=elsewhere)
    assert code == 0
    assert "width: 8" in output


def test_experiments_are_found_by_compose(project):
    with initialize_config_dir(str(project / "conf"), version_base="1.3"):
        config = compose("train", ["+experiments=wide"])
    assert config.model.width == 8


def test_a_sweep_goes_on_after_a_failed_job_and_ends_with_a_table(run, project):
    code, output, _ = run(
        "--multirun",
        "fate=full,good",
        "model.width=2,abc",
        "hydra.sweep.dir=sweep",
        "+hydra.callbacks.watch._target_=tiny.Watch",
        together=True,
    )
    assert code == 1
    milestones = [
        "Job 0 failed: fate=full model.width=2\nOSError: [Errno 28] No space left on device",
        "#1 : fate=full model.width=abc",
        "Job 1 failed: fate=full model.width=abc\nmodel.width='abc' (model=small): tiny.Net",
        "#3 : fate=good model.width=abc",
        "Job 3 failed: fate=good model.width=abc\nmodel.width='abc' (model=small): tiny.Net",
    ]
    assert sorted(milestones, key=output.index) == milestones
    told = [line for line in output.splitlines() if line.startswith("the sweeper learns")]
    assert told == [f"the sweeper learns {value}" for value in (None, None, 0.5, None)]
    rows = [re.split(" *│ *", line)[1:-1] for line in output.splitlines() if line[:1] == "│"]
    assert ["2", "fate=good model.width=2", "", "0.5", "2"] in rows
    assert any("No space left on device" in row[2] for row in rows)
    result = json.loads((project / "sweep" / "2" / "result.json").read_text())
    assert result["figures"] == {"wer": 0.5, "loss": 2.0}


def test_a_sweep_without_failures_ends_well(run, project):
    sweep = ["-m", "model.width=2,4", "fate=good", "optimised_metric=loss", "hydra.sweep.dir=sweep"]
    code, output, errors = run(*sweep, environment={"COLUMNS": "36"})
    assert (code, errors) == (0, "")
    assert "│ 1   │ model.width=4 │ 2    │" in output
    assert "and 1 more columns: sweep/jobs.csv" in output
    table = (project / "sweep" / "jobs.csv").read_text().splitlines()
    assert table[0] == "job,overrides,loss,wer"
    rest = "fate=good optimised_metric=loss"
    assert table[1:] == [f"0,model.width=2 {rest},2.0,0.5", f"1,model.width=4 {rest},2.0,0.25"]


def test_a_metric_to_optimise_that_no_run_returns_is_an_error(run):
    code, _, errors = run("-m", "optimised_metric=wre")
    assert code == 1
    assert "optimised_metric: wre is no figure of job 0; did you mean wer?" in errors
    assert "its figures are wer, loss" in errors
