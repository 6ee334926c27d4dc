"""A group without a choice is what its choice `none` is, or is asked for by name."""

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf, open_dict

from kaskad.config.groups import fill_groups, own_data_options, take_away
from kaskad.config.messages import ConfigurationError

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize("group", ["logger", "callbacks", "scheduler", "augment", "overlap"])
@pytest.mark.parametrize("written", ["{}=null", "{}=", "~{}", "{}=False"])
def test_a_group_taken_away_is_none(group, written, compose, tmp_path) -> None:
    taken = take_away([written.format(group)], CONF, "train")
    assert taken == [f"{group}=none"]
    config = compose("train", tmp_path, *taken)
    assert config[group] == OmegaConf.load(CONF / group / "none.yaml")
    with open_dict(config):
        del config[group]  # as a recipe can
    fill_groups(config, CONF, "train")
    assert config[group] == OmegaConf.load(CONF / group / "none.yaml")
    instantiate(config[group])


@pytest.mark.parametrize("group", ["model", "decoder", "optimizer", "trainer", "datamodule"])
def test_a_group_that_must_be_is_asked_for_by_name(group, compose, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=rf"{group}: .* without one\n{group} is one of "):
        take_away([f"~{group}", f"{group}.option=3"], CONF, "train")
    config = compose("train", tmp_path)
    with open_dict(config):
        del config[group]
    with pytest.raises(ConfigurationError, match=rf"{group}: .* without one\n{group} is one of "):
        fill_groups(config, CONF, "train")


def test_options_of_data_that_is_not_chosen_are_those_of_the_checkpoints_own() -> None:
    for typed, taken in (
        (["data.root=/a", "checkpoint=b"], ["+own_data.root=/a", "checkpoint=b"]),
        (["data=an4", "data.root=/a"], ["data=an4", "data.root=/a"]),
        (["+data.x=1"], ["+own_data.x=1"]),
    ):
        assert own_data_options(typed, CONF, "evaluate") == taken
        assert own_data_options(typed, CONF, "train") == typed


def test_what_is_no_group_stays_as_it_is() -> None:
    typed = ["resume=null", "logger=csv", "-m", "~seed", "trainer", "logger=null"]
    assert take_away([*typed, "debug=null"], CONF, "train") == [*typed[:-1], "logger=none"]


def test_a_plus_before_a_group_is_needless_where_nothing_is_chosen_and_refused_elsewhere() -> None:
    assert take_away(["+debug=fast", "++sweep=optuna"], CONF, "train") == [
        "debug=fast",
        "sweep=optuna",
    ]
    with pytest.raises(ConfigurationError, match="leave the plus away: logger=csv"):
        take_away(["+logger=csv"], CONF, "train")
