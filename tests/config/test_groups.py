"""A group without a choice is what its choice `none` is, or is asked for by name."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from kaskad.config.groups import fill_groups, take_away
from kaskad.config.messages import ConfigurationError

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize("group", ["logger", "callbacks", "scheduler", "augment", "overlap"])
def test_a_group_taken_away_is_none(group, compose, tmp_path) -> None:
    config = compose("train", tmp_path, *take_away([f"{group}=null"], CONF, "train"))
    fill_groups(config, CONF, "train")
    assert config[group] == OmegaConf.load(CONF / group / "none.yaml")
    OmegaConf.to_container(config.model.get(group) or OmegaConf.create({}), resolve=True)


@pytest.mark.parametrize("group", ["model", "decoder", "optimizer", "trainer", "data"])
def test_a_group_that_must_be_is_asked_for_by_name(group, compose, tmp_path) -> None:
    config = compose("train", tmp_path)
    OmegaConf.set_struct(config, False)
    del config[group]
    if (CONF / group / "none.yaml").exists():
        pytest.skip(f"{group}=none is a choice")
    with pytest.raises(ConfigurationError, match=rf"{group}: .* without one\n{group} is one of "):
        fill_groups(config, CONF, "train")


def test_what_is_no_group_stays_as_it_is() -> None:
    typed = ["resume=null", "logger=csv", "~scheduler", "-m", "+logger=null", "logger=null"]
    assert take_away([*typed, "debug=null"], CONF, "train") == [*typed[:-1], "~logger"]
