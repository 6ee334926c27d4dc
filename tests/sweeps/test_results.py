"""Searches over a command that costs nothing, with the project's own choices for sweep."""

import re
import subprocess
from pathlib import Path

import optuna
import polars as pl
import pytest
from optuna.trial import TrialState

from kaskad.sweeps.results import DIED, Job, read_results
from kaskad.sweeps.studies import RETRY_OF, ended, storage_of

ROOT = Path(__file__).parents[2]
PROJECT = {
    "tiny.py": """
import math, os, time
from pathlib import Path

def train(config):
    trial = config.get("sweep", {}).get("trial")
    if trial == 1 and Path("failing").exists():
        raise MemoryError("no room")
    if trial == 2 and Path("dying").exists():
        os._exit(9)
    if trial == 2 and Path("waiting").exists():
        print("waiting", flush=True)
        time.sleep(60)
    wer = abs(math.log10(config.optimizer.lr) + 3) + 10 / config.model.encoder.hidden_size
    return {"validation/wer": wer, "parameters": float(config.model.encoder.hidden_size)}
""",
    "conf/train.yaml": """
defaults: [model: small, run_folder, _self_, sweep: null]
task: tiny
seed: 0
optimizer: {lr: 0.1, weight_decay: 0.0}
datamodule: {batch_seconds: 40.0}
optimised_metric: validation/wer
""",
    "conf/model/small.yaml": "encoder: {hidden_size: 64, layers: 1, dropout: 0.0}\n",
    "conf/model/big.yaml": "encoder: {hidden_size: 128, layers: 1, dropout: 0.0}\n",
    "experiments/regularised.yaml": "# @package _global_\noptimizer: {weight_decay: 0.5}\n",
}


@pytest.fixture
def project(make_project):
    ours = [ROOT / "conf/run_folder.yaml", *ROOT.glob("conf/sweep/**/*.yaml")]
    conf = {
        # This command trains nothing, so there is no epoch after which to prune.
        str(path.relative_to(ROOT)): re.sub(
            r"\ncallbacks:\n.*?(?=\nhydra:)", "", path.read_text(), flags=re.DOTALL
        )
        for path in ours
    }
    return make_project(conf | PROJECT)


@pytest.fixture
def start(fork_server, project):
    """Begin train.py of the project; errors go where the output goes."""

    def start_train(*arguments, **environment):
        environment = {"COLUMNS": "300", **environment}
        options = {"directory": project, "environment": environment, "together": True}
        return fork_server.start("train.py", *arguments, **options)

    return start_train


@pytest.fixture
def run(start):
    """Run train.py of the project; returns the exit code and what it printed."""

    def run_train(*arguments, **environment):
        command = start(*arguments, **environment)
        return command.wait(), command.output

    return run_train


def trials_of(sweep):
    return pl.read_csv(sweep / "trials.csv").sort("trial")


def study_of(sweep):
    return optuna.load_study(study_name=sweep.name, storage=storage_of(sweep))


@pytest.mark.slow
def test_a_search_survives_a_failure_and_leaves_its_best_as_a_recipe(run, project):
    (project / "failing").touch()
    search = ["sweep=optuna", "sweep.study=first", "sweep.trials=6", "optimizer.weight_decay=0.2"]
    code, output = run("-m", *search, "model=small,big", "+experiments=regularised")
    sweep = project / "runs/sweeps/first"
    assert code == 1, output
    milestones = ["#1 : ", "Job 1 failed: ", "MemoryError: no room", "#5 : ", "│ 1     │ failed"]
    assert sorted(milestones, key=output.index) == milestones
    trials = trials_of(sweep)
    assert trials["state"].to_list()[1] == "failed"
    assert trials["failure"].to_list()[1] == "MemoryError: no room"
    assert set(trials["model"]) <= {"small", "big"}
    assert "optimizer.weight_decay" not in trials.columns  # the command line fixed it
    assert (sweep / "importance.png").read_bytes().startswith(b"\x89PNG")

    best = trials.filter(state="best").row(0, named=True)
    assert best["validation/wer"] == trials["validation/wer"].min()
    commands = re.search(r"(cp \S+ experiments/) && python (train.py \S+)", output)
    subprocess.run(commands[1], shell=True, check=True, cwd=project)
    code, output = run(*commands[2].split()[1:], "--cfg", "job")
    assert code == 0, output
    for line in (
        f"lr: {best['optimizer.lr']}",
        "weight_decay: 0.2",
        f"batch_seconds: {best['datamodule.batch_seconds']}",
    ):
        assert line in output
    assert "sweep" not in output


@pytest.mark.parametrize("left", ["", "{torn", "[]", '{"figures": 3}'])
def test_what_is_no_result_is_passed_over(left, tmp_path) -> None:
    (tmp_path / "result.json").write_text(left)
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("[torn")
    job = Job(0, ["seed=0"], tmp_path)
    assert not job.is_done() and job.is_occupied()
    assert job.result().failure == DIED
    assert read_results(tmp_path) == []


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_with_the_trials_that_are_left(start, run, project):
    search = ["-m", "sweep=optuna", "sweep.study=killed", "sweep.trials=4"]
    (project / "waiting").touch()
    process = start(*search)
    process.wait_until_it_prints("waiting\n")
    process.kill(group=True)
    process.wait()
    (project / "waiting").unlink()

    code, output = run(*search)
    assert code == 0, output
    sweep = project / "runs/sweeps/killed"
    trials = study_of(sweep).trials
    assert [trial.state == TrialState.COMPLETE for trial in trials] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert trials[3].user_attrs[RETRY_OF] == 2
    assert trials[3].params == trials[2].params
    assert len({trial.params["optimizer.lr"] for trial in trials}) == 4  # no draw is repeated
    assert trials_of(sweep)["trial"].to_list() == [0, 1, 3, 4]

    code, output = run(*search, "model=big")
    assert code == 1
    assert "sweep.study=killed was begun with settings [], and now ['model=big']" in output
    code, output = run(*search, "sweep.trials=5")
    assert code == 0, output
    assert len(ended(study_of(sweep))) == 5


@pytest.mark.parametrize(
    ("arguments", "told", "trials"),
    [
        (["optimizer.lrr=interval(0, 1)"], "did you mean optimizer.lr?", 0),
        (["model=choice(small, bgi)"], "model=bgi: no such choice; did you mean big?", 0),
        (["optimizer.lr=tag(log, interval(0, 1))"], "optimizer.lr=tag(log, interval(0, 1)): ", 0),
        (["sweep.trials=many"], "sweep.trials=many: wants a whole number, 1 or more", 0),
        (["sweep.goals=[]"], "sweep.goals=[]: wants a list of figures", 0),
        (["sweep.sampler.sede=1"], "did you mean sweep.sampler.seed?", 0),
        (
            ["sweep.goals=[validation/wre]"],
            "sweep.goals: validation/wre is no figure of job 0; did",
            1,
        ),
    ],
)
def test_a_mistake_ends_a_search_before_it_costs_anything(run, project, arguments, told, trials):
    code, output = run("-m", "sweep=optuna", "sweep.study=wrong", *arguments)
    assert code == 1
    assert told in output
    assert len([*project.glob("runs/sweeps/wrong/*/result.json")]) == trials


@pytest.mark.slow
def test_a_search_for_several_goals_leaves_all_that_no_other_trial_beats(run, project):
    code, output = run(
        "-m",
        "sweep=genetic",
        "sweep.study=sizes",
        "sweep.trials=8",
        "sweep.sampler.population_size=4",
    )
    assert code == 0, output
    sweep = project / "runs/sweeps/sizes"
    figures = trials_of(sweep).select("trial", "validation/wer", "parameters").rows()
    unbeaten = {
        number
        for number, wer, size in figures
        if not any(w <= wer and s <= size and (w, s) != (wer, size) for _, w, s in figures)
    }
    assert {path.name for path in sweep.glob("best*.yaml")} == {f"best_{n}.yaml" for n in unbeaten}
    assert set(trials_of(sweep).filter(state="best")["trial"]) == unbeaten


@pytest.mark.slow
def test_cma_es_goes_on_with_its_cloud_where_another_command_left_it(run, project):
    search = ["-m", "sweep=optuna", "sweep/sampler=cma_es", "sweep.study=cloud"]
    search.append("sweep.sampler.n_startup_trials=2")
    for trials in (9, 18):
        code, output = run(*search, f"sweep.trials={trials}")
        assert code == 0, output
    attributes = [trial.system_attrs for trial in study_of(project / "runs/sweeps/cloud").trials]
    assert len(attributes) == 18
    generations = [
        value for each in attributes for name, value in each.items() if "generation" in name
    ]
    assert generations == sorted(generations) and len(set(generations)) > 2


@pytest.mark.slow
def test_jobs_side_by_side_and_one_that_dies(run, project):
    (project / "dying").touch()
    code, output = run(
        "-m",
        "sweep=optuna",
        "sweep.study=dead",
        "sweep.trials=5",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    )
    assert code == 1, output
    trials = trials_of(project / "runs/sweeps/dead")
    assert trials["trial"].to_list() == [*range(5)]
    assert "trial 2 failed: its process ended" in output
    assert "process ended" in trials["failure"].to_list()[2]
    assert trials["state"].to_list()[4] in ("best", "complete")


def test_the_url_of_the_storage_is_written_nowhere(run, project, tmp_path_factory):
    database = tmp_path_factory.mktemp("elsewhere") / "secret-token.db"
    search = ["-m", "sweep=optuna", "sweep.study=away", "sweep.trials=1"]
    code, output = run(*search, KASKAD_SWEEP_STORAGE=f"sqlite:///{database}")
    assert code == 0, output
    assert database.exists()
    assert "secret-token" not in output
    written = [path for path in (project / "runs").rglob("*") if path.is_file()]
    assert not [path for path in written if b"secret-token" in path.read_bytes()]
