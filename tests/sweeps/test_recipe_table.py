import json
from pathlib import Path

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate

from kaskad.metrics.classification import confuse
from kaskad.metrics.error_rates import score
from kaskad.sweeps.results import JobResult

RECIPE = """
# @package _global_
hydra:
  sweeper: {params: {seed: "0,1,2"}}
  callbacks:
    recipe_table:
      _target_: kaskad.sweeps.RecipeTable
      name: short
      harmonic_mean: {both: [known/cer, test/cer]}
      figures: {test/cer: CER, both: CER of both, training/minutes: minutes}
"""
RUNS = [
    {"test/cer": 0.1, "known/cer": 0.3, "training/minutes": 2.0, "loss": 7.0},
    {"test/cer": 0.2, "known/cer": 0.2, "training/minutes": 3.0, "loss": 8.0},
    {"test/cer": 0.6, "known/cer": 0.0, "training/minutes": 7.0, "loss": 9.0},
]
# Harmonic means: 2 / (1 / 0.1 + 1 / 0.3) = 0.15; 0.2; 0. Of 10, 20 and 60 the mean is 30 and the
# deviation √((20² + 10² + 30²) / 2) = 26.46; of 15, 20, 0: 11.67 and 10.41; of 2, 3, 7: 4, 2.65.
ROWS = """\
| run | CER | CER of both | minutes |
|---|---:|---:|---:|
| seed=0 | 10.00 % | 15.00 % | 2.0 |
| seed=1 | 20.00 % | 20.00 % | 3.0 |
| seed=2 | 60.00 % | 0.00 % | 7.0 |
| **mean ± std** | 30.00 ± 26.46 % | 11.67 ± 10.41 % | 4.00 ± 2.65 |
"""
OF_TWO_NETS = """\
| model=b seed=0 | 60.00 % | 0.00 % | 7.0 |
| **model=a: mean ± std** | 15.00 ± 7.07 % | 17.50 ± 3.54 % | 2.50 ± 0.71 |
"""
GENDERS = ["female", "male"]
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
# Not the settings that recipes share.
RECIPES = sorted(
    path.stem for path in EXPERIMENTS.glob("*.yaml") if "recipe_table" in path.read_text()
)


@pytest.fixture
def end_sweep(tmp_path):
    """End a sweep of the recipe `short` whose jobs gave RUNS; returns the folder of its project."""
    for folder in ("conf", "experiments", "sweep", "src"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "conf").symlink_to("../conf")  # as in a checkout
    (tmp_path / "conf" / "train.yaml").write_text("seed: 0\ntrainer: {enable_progress_bar: true}\n")
    (tmp_path / "experiments" / "short.yaml").write_text(RECIPE)
    (tmp_path / "experiments" / "short.md").write_text("the table of old")

    def end(*overrides, failure="", jobs=("seed=0", "seed=1", "seed=2")):
        for job, figures in enumerate(RUNS):
            folder = tmp_path / "sweep" / str(job)
            folder.mkdir()
            result = JobResult(job, ["+experiments=short", *jobs[job].split()], figures)
            result.failure = failure if job == 1 else ""
            result.write(folder)
        sweep = f"hydra.sweep.dir={tmp_path / 'sweep'}"
        with hydra.initialize_config_dir(str(tmp_path / "src" / "conf"), version_base="1.3"):
            config = hydra.compose(
                "train", ["+experiments=short", sweep, *overrides], return_hydra_config=True
            )
        instantiate(config.hydra.callbacks.recipe_table).on_multirun_end(config)
        return tmp_path

    return end


@pytest.mark.parametrize(
    "how",
    [
        [],
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        ["trainer.enable_progress_bar=false"],
    ],
)
def test_a_recipe_run_as_it_is_renews_its_table(end_sweep, how, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/home/anna/bin/kaskad train", "+experiments=short", *how])
    project = end_sweep(*how)
    for folder in ("sweep", "experiments"):
        text = (project / folder / "short.md").read_text("utf-8")
        assert text.startswith("# short\n") and text.endswith(ROWS)
    table = json.loads((project / "experiments" / "short.json").read_text("utf-8"))
    assert table["command"] == " ".join(["kaskad train +experiments=short", *how])
    assert table["rows"][0] == {
        "run": "seed=0",
        "test/cer": 0.1,
        "both": 0.15,
        "training/minutes": 2.0,
    }


@pytest.mark.parametrize(
    "change", ["seed=7", "+trainer.max_epochs=1", "hydra.sweeper.params.seed=3"]
)
def test_the_table_of_a_trial_stays_in_its_sweep(end_sweep, change, capsys):
    project = end_sweep(change)
    assert (project / "sweep" / "short.md").read_text("utf-8").endswith(ROWS)
    assert (project / "experiments" / "short.md").read_text() == "the table of old"
    assert not (project / "experiments" / "short.json").exists()
    assert change in capsys.readouterr().out


def test_means_are_taken_over_seeds_alone(end_sweep):
    project = end_sweep(jobs=("model=a seed=0", "model=a seed=1", "model=b seed=0"))
    assert (project / "sweep" / "short.md").read_text("utf-8").endswith(OF_TWO_NETS)


def test_a_sweep_with_a_failed_job_has_no_table(end_sweep):
    project = end_sweep(failure="no memory")
    assert (project / "experiments" / "short.md").read_text() == "the table of old"
    assert not list((project / "sweep").glob("short.*"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("figures={test/crr: CER}", "figures: test/crr is no figure of job 0; did you mean test/c"),
        ("harmonic_mean.both=[test/cer,knwon/cer]", "harmonic_mean.both: knwon/cer is no"),
    ],
)
def test_a_figure_that_no_run_gives_is_told_with_those_that_it_gives(
    end_sweep, wrong, told, tmp_path, capsys
):
    with pytest.raises(SystemExit) as end:
        end_sweep(f"++hydra.callbacks.recipe_table.{wrong}")
    assert end.value.code == 1
    output, errors = capsys.readouterr()
    assert "seed=2" in output  # the figures are not lost: the sweep's own table is shown
    assert f"experiments/short: no table: {told}" in errors
    assert all(name in errors.splitlines()[1] for name in RUNS[0])
    assert not list((tmp_path / "sweep").glob("short.*"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_table_of_a_recipe_bears_its_name_and_wants_figures_that_runs_give(
    recipe, compose, tmp_path
):
    config = compose("train", tmp_path, f"+experiments={recipe}")
    table = instantiate(HydraConfig.get().callbacks.recipe_table)
    assert table.name == recipe
    tests = [name for name, corpus in config.data.corpora.items() if corpus.role == "test"]
    words, genders = score(["one"], ["one"], "en", phones=list), confuse(GENDERS, GENDERS)
    names = [*words.figures(), *genders.figures(), "audio_seconds_per_second"]
    given = {f"{test}/{name}" for test in tests for name in names}
    wanted = set(table.figures).difference(table.harmonic_mean)
    if config.datamodule._target_.endswith("PronunciationDataModule"):
        given |= {"test/word_accuracy", "test/candidate_accuracy"}
    if config.datamodule._target_.endswith("CorrectionDataModule"):
        ours = ("wer_uncorrected", "mended", "broken")
        given |= {f"{test}/{name}" for test in tests for name in ours}
    given |= {config.optimised_metric, "training/minutes", "parameters"}
    assert wanted.union(*table.harmonic_mean.values()) <= given
