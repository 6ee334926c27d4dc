import optuna
import pytest

from kaskad.commands.train import train
from kaskad.sweeps import studies


@pytest.fixture
def trial_run(compose, tone_corpus, tmp_path):
    """A training of a few steps as the fourth trial of a study whose others gave ``figure``."""

    def run(figure: float) -> tuple[dict[str, float], optuna.trial.FrozenTrial]:
        overrides = [
            "data=table",
            f"data.root={tone_corpus}",
            "model=lstm",
            "model.encoder.hidden_size=8",
            "model.encoder.layers=1",
            "trainer.max_epochs=3",
            "trainer.limit_train_batches=1",
            "datamodule.workers=0",
            "sweep=optuna",
            "sweep.study=tones",
            "sweep.trial=3",
            "sweep.pruner.n_startup_trials=2",
            "sweep.pruner.n_warmup_steps=1",
            f"hydra.sweep.dir={tmp_path}",
        ]
        config = compose("train", tmp_path, *overrides)
        study = studies.begin(config.sweep, tmp_path, optuna.samplers.RandomSampler(), [])
        for _ in range(3):
            trial = study.ask()
            for epoch in range(3):
                trial.report(figure, epoch)
            study.tell(trial, figure)
        study.ask()
        figures = train(config)
        return figures, study.trials[3]

    return run


def test_a_hopeless_run_ends_early_and_is_not_tested(trial_run, tmp_path) -> None:
    figures, trial = trial_run(figure=0.01)
    assert "validation/wer" in figures
    assert not any(name.startswith("test/") for name in figures)
    assert trial.user_attrs[studies.PRUNED] == 2  # the first epoch is for warming up
    assert trial.intermediate_values.keys() == {0, 1}
    assert not (tmp_path / "report.json").exists()


def test_a_run_as_good_as_others_comes_to_its_end(trial_run, tmp_path) -> None:
    figures, trial = trial_run(figure=2.0)
    assert {"validation/wer", "test/wer"} <= figures.keys()
    assert studies.PRUNED not in trial.user_attrs
    assert figures["validation/wer"] == pytest.approx(min(trial.intermediate_values.values()))
    assert len(trial.intermediate_values) == 3
