"""Recurrent layers on frames as they are, or fewer."""

import pytest
import torch

from kaskad.models.encoders.recurrent import RecurrentEncoder
from kaskad.models.layers.rnn import LSTM
from kaskad.models.layers.subsampling import stack_frames


def test_neighbouring_frames_are_stacked_and_the_last_completed_with_zeros() -> None:
    features = torch.arange(1.0, 21.0).reshape(2, 5, 2)
    stacked = stack_frames(features, torch.tensor([5, 1]), 3)
    assert stacked[0].tolist() == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 0, 0]]
    assert stacked[1].tolist() == [[11, 12, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    ("reduce_by", "reduction"), [("stack", 1), ("stack", 3), ("convolution", 3), ("pyramid", 4)]
)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_what_stands_beyond_the_end_changes_nothing(
    cell: str, reduce_by: str, reduction: int, bidirectional: bool
) -> None:
    torch.manual_seed(0)
    net = RecurrentEncoder(
        6,
        cell,
        reduction,
        reduce_by,
        layers=3,
        hidden_size=8,
        bidirectional=bidirectional,
        residual=True,
        layer_norm=True,
    ).eval()
    features = torch.randn(2, 20, 6)
    for length in (1, 7, 20):
        together, lengths = net(features, torch.tensor([20, length]))
        alone, (count,) = net(features[1:, :length], torch.tensor([length]))
        assert alone.shape == (1, -(-length // reduction), net.dim)
        assert count == lengths[1] == net.frame_count(length) == alone.shape[1]
        torch.testing.assert_close(together[1, :count], alone[0], atol=1e-5, rtol=1e-5)


def test_a_pyramid_that_cannot_be_built_is_refused_with_those_that_can() -> None:
    with pytest.raises(ValueError, match=r"a pyramid of 3 layers makes one frame of 1, 2, 4$"):
        RecurrentEncoder(6, time_reduction=8, reduce_by="pyramid", layers=3, hidden_size=8)


def test_a_residual_adds_to_a_layer_what_went_into_it() -> None:
    layers = LSTM(6, 2, hidden_size=4, residual=True).eval()
    sequences, lengths = torch.randn(1, 5, 6), torch.tensor([5])
    first, second = layers.layer_outputs(sequences, lengths)
    layers.residual = False
    _, plain = layers.layer_outputs(sequences, lengths)
    torch.testing.assert_close(second, plain + first)
