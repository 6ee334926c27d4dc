"""What is typed means the same in a shell and in Python."""

from pathlib import Path

import pytest

from kaskad.cli.composition import as_hydra_takes_them
from kaskad.cli.from_python import composed
from kaskad.cli.search_path import conf_folder
from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import debug_last


@pytest.fixture
def typed(tmp_path: Path):
    """The configuration of train.py for these overrides."""

    def compose_with(*overrides: str):
        with composed("train", [*overrides, f"hydra.run.dir={tmp_path}"]) as config:
            return config

    return compose_with


@pytest.mark.parametrize(
    "overrides",
    [
        ["+experiments=fsdd_words", "debug=fast"],
        ["debug=fast", "+experiments=fsdd_words"],
        ["+experiments=[numbers,fsdd_words]", "debug=fast"],
    ],
)
def test_debug_wins_over_a_recipe_wherever_it_stands(overrides, typed) -> None:
    config = typed(*overrides)  # a recipe is a sweep, which Python refuses: debug made it a run
    assert config.trainer.max_epochs == 1 and config.trainer.limit_train_batches == 1
    assert config.model._target_ == "kaskad.models.WordClassifier"


def test_options_of_hydra_may_stand_last() -> None:
    typed = ["debug=fast", "+experiments=an4", "seed=1", "--cfg", "job", "--package", "trainer"]
    taken = ["+experiments=an4", "+debug@_global_=fast", *typed[2:]]
    assert debug_last(typed) == debug_last(["+experiments=an4", "debug=fast", *typed[2:]]) == taken


def test_a_sweep_may_be_asked_for_between_other_words() -> None:
    typed = ["model=lstm", "-m", "seed=0,1"]
    taken = ["-m", "model=lstm", "seed=0,1"]
    assert as_hydra_takes_them(typed, conf_folder(), "train") == taken


def test_debug_takes_choices_of_a_recipe_away(typed) -> None:
    config = typed("+experiments=augmentation_an4", "hydra.mode=RUN", "debug=overfit")
    assert config.trainer.max_epochs == 100 and config.trainer.overfit_batches == 2
    assert config.augment.features is None


@pytest.mark.parametrize("override", ["+trainer.max_epochs=7", "trainer.max_epochs=7"])
def test_a_plus_before_a_key_that_exists_does_no_harm(override, typed) -> None:
    assert typed(override, "+trainer.fast_dev_run=false", "+seed=3").trainer.max_epochs == 7


def test_groups_taken_away_are_none(typed) -> None:
    config = typed("logger=null", "~scheduler", "callbacks=", "+model.encoder.dropout=0.5")
    assert not config.logger and not config.callbacks
    assert config.scheduler._target_ == "kaskad.models.constant"


def test_what_a_command_cannot_do_without_is_named(typed) -> None:
    with pytest.raises(ConfigurationError, match="optimizer is one of adamw"):
        typed("~optimizer")
