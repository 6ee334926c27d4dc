"""CTC after several layers, and with a net that is kept from being sure."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from kaskad.data.batch import Batch
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.ctc_losses import distance_from_uniform, negative_entropy
from kaskad.models.losses import with_total
from kaskad.text.tokenizer import BLANK

TINY = ["model.encoder.hidden_size=4", "model.encoder.channels=[2,2]", "augment=none"]


def recogniser(compose, folder: Path, *overrides: str) -> CTCRecogniser:
    torch.manual_seed(0)
    config = compose("train", folder, *TINY, *overrides)
    config.tokenizer.alphabet = ["а", "б"]
    return instantiate(config.model)


def batch() -> Batch:
    targets = torch.tensor([[1, 2], [2, 0]])
    waveforms = torch.randn(2, 8_000) * torch.tensor([[1.0], [0.1]])
    lengths, counts = torch.tensor([8_000, 6_000]), torch.tensor([2, 1])
    return Batch(waveforms, lengths, targets, counts, ["a", "b"], ["аб", "б"], "ru")


def test_a_lower_layer_learns_by_a_head_of_its_own(compose, tmp_path: Path) -> None:
    model = recogniser(
        compose, tmp_path, "model.intermediate_layers=[1]", "model.intermediate_weight=0.4"
    )
    losses = model.train().losses(batch())
    assert losses.keys() == {"ctc", "intermediate_ctc"}
    total = with_total(losses, model.loss_shares)["loss"]
    assert losses["ctc"].isfinite().all()
    torch.testing.assert_close(total, 0.6 * losses["ctc"] + 0.4 * losses["intermediate_ctc"])
    losses["intermediate_ctc"].sum().backward()
    assert model.get_parameter("intermediate.head.1.weight").grad.abs().sum() > 0
    assert model.get_parameter("encoder.lstm.forwards.0.weight_ih_l0").grad.abs().sum() > 0
    assert model.get_parameter("encoder.lstm.forwards.1.weight_ih_l0").grad is None


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(compose, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="Error in call") as error:
        recogniser(compose, tmp_path, "model.intermediate_layers=[2]")
    assert "there is no layer 2 to choose; those of this CNN2dLSTM before its last are 1" in str(
        error.value.__cause__
    )


def test_a_net_may_be_kept_from_being_sure(compose, tmp_path: Path) -> None:
    model = recogniser(compose, tmp_path, "model.label_smoothing=0.1", "model.entropy_weight=0.2")
    losses = model.train().losses(batch())
    assert model.loss_shares == pytest.approx({"uniform": 0.1, "ctc": 0.9, "negative_entropy": 0.2})
    assert losses.keys() == model.loss_shares.keys()
    even = torch.full((1, 4, 3), 1 / 3).log()
    sure = torch.tensor([[[0.98, 0.01, 0.01]] * 4]).log()
    for loss in (distance_from_uniform, negative_entropy):
        ends = torch.tensor([3])
        assert loss(even, ends) < loss(sure, ends)
        padded = torch.cat([sure[:, :3], even[:, :1]], dim=1)
        torch.testing.assert_close(loss(padded, ends), loss(sure, ends))


def test_what_cannot_be_aligned_trains_nothing(compose, tmp_path: Path) -> None:
    model = recogniser(compose, tmp_path, "model.label_smoothing=0.1")
    short = batch()
    short.waveform_lengths[1] = 100
    short.targets, short.target_lengths = torch.tensor([[1, 2], [1, 1]]), torch.tensor([2, 2])
    losses = model.train().losses(short)
    assert losses["uniform"].isfinite().tolist() == [True, False]


def test_a_net_may_begin_with_blanks(compose, tmp_path: Path) -> None:
    blanks = recogniser(compose, tmp_path, "model.blank_bias=20")
    log_probs, _ = blanks.eval()(batch().waveforms, batch().waveform_lengths)
    assert (log_probs.argmax(dim=-1) == BLANK).all()
