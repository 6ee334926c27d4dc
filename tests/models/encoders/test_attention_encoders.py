"""The Conformer and the Transformer: positions, padding, and what cannot be built."""

import pytest
import torch

from kaskad.models.encoders.conformer import Conformer
from kaskad.models.encoders.transformer import Transformer
from kaskad.models.layers.masked_norm import MaskedBatchNorm
from kaskad.models.layers.self_attention import SelfAttention, sinusoids

SMALL = {"dim": 16, "layers": 2, "heads": 2, "channels": (4, 4)}


@pytest.mark.parametrize("family", [Conformer, Transformer])
@pytest.mark.parametrize("positions", ["relative", "rotary", "absolute"])
@pytest.mark.parametrize("reduce_by", ["convolution", "stack"])
def test_what_stands_beyond_the_end_changes_nothing(family, positions: str, reduce_by: str) -> None:
    torch.manual_seed(0)
    net = family(12, 4, reduce_by, positions=positions, **SMALL).eval()
    features = torch.randn(2, 30, 12)
    for length in (1, 7, 30):
        together, lengths = net(features, torch.tensor([30, length]))
        alone, (count,) = net(features[1:, :length], torch.tensor([length]))
        assert alone.shape == (1, -(-length // 4), net.dim)
        assert count == lengths[1] == net.frame_count(length) == alone.shape[1]
        torch.testing.assert_close(together[1, :count], alone[0], atol=1e-5, rtol=1e-5)


def test_padding_has_no_part_in_the_statistics_of_a_training_batch() -> None:
    torch.manual_seed(0)
    frames, outside = torch.randn(2, 6, 3), torch.tensor([[False] * 6, [False] * 2 + [True] * 4])
    norm = MaskedBatchNorm(3).train()
    normalised = norm(frames, outside)
    torch.testing.assert_close(
        normalised[~outside], torch.nn.BatchNorm1d(3).train()(frames[~outside])
    )
    assert normalised[outside].eq(0).all()


def test_relative_positions_score_the_distance_between_two_frames() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(8, 2, "relative")
    query = torch.randn(1, 2, 5, 4)
    scores = attention._distance_scores(query)
    for here in range(5):
        for there in range(5):
            distance = attention.distances(sinusoids(torch.tensor([float(here - there)]), 8))
            expected = (query[0, :, here] * distance.view(2, 4)).sum(dim=1) / 2.0
            torch.testing.assert_close(scores[0, :, here, there], expected)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"heads": 3}, "heads is 3; it must divide dim, which is 16"),
        ({"heads": 16, "positions": "rotary"}, "it must be an even number"),
        ({"kernel_size": 8}, "kernel_size is 8; it must be odd"),
        ({"layers": 0}, "layers is 0"),
        ({"time_reduction": 8}, "time_reduction is 8; it can be one of 1, 2, 3, 4"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(wrong: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Conformer(12, **{**SMALL, **wrong})
