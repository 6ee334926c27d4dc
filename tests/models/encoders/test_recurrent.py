"""Recurrent layers on frames as they are, or stacked."""

import pytest
import torch

from kaskad.models.encoders.recurrent import RecurrentEncoder, stack_frames


def test_neighbouring_frames_are_stacked_and_the_last_completed_with_zeros() -> None:
    features = torch.arange(1.0, 21.0).reshape(2, 5, 2)
    stacked = stack_frames(features, torch.tensor([5, 1]), 3)
    assert stacked[0].tolist() == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 0, 0]]
    assert stacked[1].tolist() == [[11, 12, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("reduction", [1, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_what_stands_beyond_the_end_changes_nothing(
    cell: str, reduction: int, bidirectional: bool
) -> None:
    torch.manual_seed(0)
    net = RecurrentEncoder(6, cell, reduction, 8, 2, bidirectional).eval()
    features = torch.randn(2, 20, 6)
    for length in (1, 7, 20):
        together, lengths = net(features, torch.tensor([20, length]))
        alone, (count,) = net(features[1:, :length], torch.tensor([length]))
        assert alone.shape == (1, -(-length // reduction), net.dim)
        assert count == lengths[1] == net.frame_count(length) == alone.shape[1]
        torch.testing.assert_close(together[1, :count], alone[0], atol=1e-5, rtol=1e-5)
