"""A new recogniser takes the weights that fit, and lists what became of the rest."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from kaskad.commands.train import train
from kaskad.models.recogniser import Recogniser
from kaskad.models.transfer import transfer_weights
from kaskad.runs.checkpoints import CheckpointError

SMALL = ["model.encoder.hidden_size=16", "model.encoder.layers=1", "model.encoder.channels=[4,4]"]


@pytest.fixture
def make(compose, tmp_path: Path):
    """A small recogniser over the letters given, and its configuration."""

    def make_recogniser(letters: str, *overrides: str) -> tuple[Recogniser, DictConfig]:
        config = compose("train", tmp_path, *(overrides or SMALL))
        config.tokenizer.alphabet = list(letters)
        return instantiate(config.model), config

    return make_recogniser


@pytest.fixture
def trained(make, tmp_path: Path):
    """Write the checkpoint of such a recogniser, all its weights at random."""

    def write(letters: str, *overrides: str) -> tuple[Path, dict[str, torch.Tensor]]:
        recogniser, config = make(letters, *overrides)
        for name, weight in recogniser.state_dict().items():
            if weight.is_floating_point() and not name.startswith("features."):
                torch.nn.init.normal_(weight)
        resolved = OmegaConf.to_container(config, resolve=True)
        state = recogniser.state_dict()
        torch.save({"config": resolved, "state_dict": state}, tmp_path / "trained.ckpt")
        return tmp_path / "trained.ckpt", state

    return write


def test_rows_of_the_head_are_taken_over_label_by_label(make, trained) -> None:
    path, theirs = trained("abcd")
    recogniser, config = make("bdexy")
    fresh = recogniser.head.weight.clone()
    transfer = transfer_weights(recogniser, path, config.model.features)
    ours = recogniser.state_dict()
    there = {"": 0, "b": 2, "d": 4}
    for row, label in enumerate(["", "b", "d", "e", "x", "y"]):
        wanted = theirs["head.weight"][there[label]] if label in there else fresh[row]
        assert torch.equal(ours["head.weight"][row], wanted)
    assert transfer.resized == {"head.weight": "3 of 6 labels", "head.bias": "3 of 6 labels"}
    assert not transfer.left and not transfer.fresh
    assert all(torch.equal(ours[name], theirs[name]) for name in transfer.taken)
    assert {name for name in ours if name.startswith("encoder.")} == set(transfer.taken)


def test_labels_count_by_what_they_are_not_by_their_number(make, trained) -> None:
    path, theirs = trained("abc")
    recogniser, config = make("bcd")
    transfer = transfer_weights(recogniser, path, config.model.features)
    assert transfer.resized["head.weight"] == "3 of 4 labels"
    assert torch.equal(recogniser.head.weight[1], theirs["head.weight"][2])


def test_weights_of_another_shape_are_left_and_named(make, trained) -> None:
    path, _ = trained("abc", "features.bins=40", *SMALL)
    recogniser, config = make("abc")
    transfer = transfer_weights(recogniser, path, config.model.features)
    differing = [f"encoder.lstm.{way}.0.weight_ih_l0" for way in ("backwards", "forwards")]
    assert transfer.left == sorted(transfer.fresh) == differing


CASCADE = ["model=cascade_cnn2d_lstm", "data=ru_en", "model.encoder.shared.hidden_size=8"]
CASCADE += ["model.encoder.front.channels=[4,4]"]


def test_what_a_loss_found_in_its_training_text_is_not_taken_over(make, trained) -> None:
    path, _ = trained("abc", "loss=ctc_crf", *SMALL)
    recogniser, config = make("abd", "loss=ctc_crf", *SMALL)
    transfer = transfer_weights(recogniser, path, config.model.features)
    assert not transfer.left and not transfer.fresh
    torch.testing.assert_close(recogniser.loss.ngram, torch.full((4, 4), 0.25))


def test_a_front_takes_the_weights_of_a_net_of_its_own(make, trained) -> None:
    path, theirs = trained("abc")
    recogniser, config = make("abc", *CASCADE)
    parts = {"encoder.front": "encoder"}
    transfer = transfer_weights(recogniser, path, config.model.features, parts)
    ours = recogniser.state_dict()
    front = {name for name in ours if name.startswith("encoder.front.")}
    assert front and front <= set(transfer.taken)
    for name in front:
        assert torch.equal(ours[name], theirs[name.replace("front.", "")])
    assert all("lstm" in name or "head" in name for name in transfer.left)
    with pytest.raises(CheckpointError, match=r"the checkpoint has no weights in 'encoder\.cnn'"):
        transfer_weights(recogniser, path, config.model.features, {"encoder.front": "encoder.cnn"})


def test_an_unseen_language_begins_a_subnet_in_a_cascade_that_was_trained(make, trained) -> None:
    path, theirs = trained("abc", *CASCADE)
    recogniser, config = make("abc", *CASCADE, "data.corpora.train_ext.language=de")
    transfer = transfer_weights(recogniser, path, config.model.features)
    assert all(name.startswith("encoder.subnets.de.") for name in transfer.fresh)
    assert all(name.startswith("encoder.subnets.en.") for name in transfer.left)
    parts = {"encoder.subnets.de": "encoder.subnets.en"}
    assert not transfer_weights(recogniser, path, config.model.features, parts).fresh
    name = "layers.forwards.0.weight_hh_l0"
    subnet = recogniser.encoder.subnets["de"]
    assert torch.equal(subnet.get_parameter(name), theirs[f"encoder.subnets.en.{name}"])


def test_other_features_are_warned_of_with_both_values(make, trained, caplog) -> None:
    path, _ = trained("abc", "features.sample_rate=8000", "features.bins=40", *SMALL)
    recogniser, config = make("abc")
    transfer_weights(recogniser, path, config.model.features)
    assert "sample_rate 16000 here, 8000 there" in caplog.text
    assert "bins 80 here, 40 there" in caplog.text


@pytest.mark.parametrize(
    "overrides",
    [["model=lstm", "model.encoder.hidden_size=16"], [SMALL[0], SMALL[1]]],
    ids=["another model", "other sizes"],
)
def test_a_checkpoint_of_which_nothing_fits_is_an_error(make, trained, overrides) -> None:
    path, _ = trained("abc", "model=lstm", "model.encoder.hidden_size=8")
    recogniser, config = make("abc", *overrides)
    with pytest.raises(CheckpointError, match=r"none of its weights fits.*here.*there|there.*here"):
        transfer_weights(recogniser, path, config.model.features)


def test_a_run_begins_with_the_weights_of_another(
    compose, tone_corpus: Path, trained, tmp_path: Path
) -> None:
    path, theirs = trained("динъыщ")
    overrides = [
        *SMALL,
        "data=table",
        f"data.root={tone_corpus}",
        f"init_from={path}",
        "trainer.max_epochs=1",
        "datamodule.workers=0",
        "optimizer.lr=1e-12",
    ]
    train(compose("train", tmp_path, *overrides))
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    name = "encoder.convolutions.0.convolution.weight"
    torch.testing.assert_close(checkpoint["state_dict"][name], theirs[name])
    alphabet = sorted(set("одиндватрипять"))
    assert checkpoint["config"]["model"]["tokenizer"]["alphabet"] == alphabet
    assert checkpoint["state_dict"]["head.weight"].shape[0] == len(alphabet) + 1
    assert OmegaConf.load(tmp_path / "config.yaml").tokenizer.alphabet == alphabet
    told = json.loads((tmp_path / "report.json").read_text())["environment"]["init_from"]
    assert told["checkpoint"] == str(path.resolve())
    assert told["resized"]["head.bias"] == f"4 of {len(alphabet) + 1} labels"
    assert pl.read_csv(tmp_path / "hypotheses.csv").height == 8
