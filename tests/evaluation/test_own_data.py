"""Without data=…, a checkpoint is tested on what it was trained on."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from kaskad.config.groups import own_data_options
from kaskad.config.messages import ConfigurationError
from kaskad.evaluation.own_data import add_own_data

CONF = Path(__file__).parents[2] / "conf"


def test_the_choice_and_its_plain_options_are_taken_and_no_calls(compose, tmp_path) -> None:
    trained = compose("train", tmp_path, "data=table", "data.root=/calls", "data.language=en")
    saved = OmegaConf.to_container(trained, resolve=True)
    saved["data"]["source"]["_target_"] = "os.system"
    saved["choices"] = {"data": "table"}
    path = tmp_path / "best.ckpt"
    torch.save({"config": saved, "state_dict": {}}, path)
    config = compose("evaluate", tmp_path, f"checkpoint={path}")
    assert config.get("data") is None
    assert add_own_data(config, [path]) == "table"
    assert (config.data.root, config.data.language) == ("/calls", "en")
    assert config.data.source.root == "/calls"
    assert "os.system" not in str(config.data)
    moved = own_data_options(["data.root=/moved"], CONF, "evaluate")
    config = compose("evaluate", tmp_path, f"checkpoint={path}", *moved)
    add_own_data(config, [path])
    assert (config.data.root, config.data.language) == ("/moved", "en")
    assert config.data.source.root == "/moved"
    wrong = own_data_options(["data.rot=/moved"], CONF, "evaluate")
    config = compose("evaluate", tmp_path, f"checkpoint={path}", *wrong)
    with pytest.raises(ConfigurationError, match=r"data\.rot: data=table has no .*mean data\.root"):
        add_own_data(config, [path])
    saved["choices"] = {}
    torch.save({"config": saved, "state_dict": {}}, path)
    with pytest.raises(ConfigurationError, match=r"does not say what it was trained on.*data=…"):
        add_own_data(config, [path])
