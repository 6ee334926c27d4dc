"""What cannot be built is reported in a sentence before the corpus is read."""

from pathlib import Path

import pytest

from kaskad.commands.train import train
from kaskad.config.check import check
from kaskad.config.messages import ConfigurationError


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["model=conformer", "model.encoder.heads=5"], "heads is 5; it must divide dim, which is"),
        (["model=conformer", "model.encoder.kernel_size=8"], "kernel_size is 8; it must be odd"),
        (["model.encoder.time_reduction=5"], "time_reduction is 5; it can be one of 1, 2, 3, 4"),
        (["model=seq2seq_gru", "model.attention_decoder.attention_width=4"], "must be odd"),
        (["model.intermediate_layers=[9]"], "there is no layer 9 to choose"),
        (["model=transducer", "model.search.beam=0"], "beam is 0"),
    ],
)
def test_a_model_that_cannot_be_built(wrong: list[str], sentence: str, compose, tmp_path) -> None:
    missing = f"data.root={tmp_path / 'nowhere'}"
    config = compose("train", tmp_path, "data=table", missing, *wrong)
    with pytest.raises(ConfigurationError, match=sentence) as error:
        train(config)
    assert str(error.value).startswith("model")
    assert "\n" not in str(error.value)


def test_an_unknown_kind_of_position_is_refused_with_those_known(compose, tmp_path: Path) -> None:
    config = compose("train", tmp_path, "model=conformer", "model.encoder.positions=learnt")
    with pytest.raises(ConfigurationError, match="'relative', 'rotary', 'absolute'"):
        check(config)
