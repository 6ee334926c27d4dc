"""What a sweep minimises is looked at before its first job."""

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from kaskad.commands.train import names_of_figures
from kaskad.config.messages import ConfigurationError
from kaskad.sweeps.objectives import require_objectives

CONFIG = OmegaConf.create(
    {"data": {"corpora": {"train": {"role": "train"}, "an4": {"role": "test"}}}}
)
TRAIN = SimpleNamespace(figures=names_of_figures)


@pytest.mark.parametrize("name", ["validation/nonsense", "test/wer", "an4/wer", "an4/loss"])
def test_what_no_job_has_and_what_only_a_test_gives_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"sweep.goals={name}: nothing (.*\n)*.*validation/wer"
    ):
        require_objectives("sweep.goals", ["parameters", name], TRAIN, CONFIG)


def test_figures_of_validation_and_of_speed_and_size_pass() -> None:
    names = ["validation/wer", "validation/loss", "an4/audio_seconds_per_second", "parameters"]
    require_objectives("sweep.goals", names, TRAIN, CONFIG)


def test_a_command_that_does_not_know_its_figures_is_not_asked() -> None:
    require_objectives("optimised_metric", ["any"], lambda config: None, CONFIG)
