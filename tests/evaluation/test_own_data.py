"""Without data=…, a checkpoint is tested on what it was trained on."""

import pytest
import torch
from omegaconf import OmegaConf

from kaskad.config.messages import ConfigurationError
from kaskad.evaluation.own_data import add_own_data


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
    saved["choices"] = {}
    torch.save({"config": saved, "state_dict": {}}, path)
    with pytest.raises(ConfigurationError, match=r"does not say what it was trained on.*data=…"):
        add_own_data(config, [path])
