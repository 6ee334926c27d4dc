"""Jasper and QuartzNet as their papers have them, and with any padding."""

import pytest
import torch
from hydra.utils import instantiate

from kaskad.models.encoders.quartznet import ConvolutionalEncoder, Jasper, QuartzNet


@pytest.mark.parametrize(
    ("model", "size", "published"),
    [
        ("quartznet", "{blocks: 5, repeats: 5, width: 1}", "6.7"),
        ("quartznet", "{blocks: 10, repeats: 5, width: 1}", "12.8"),
        ("quartznet", "{blocks: 15, repeats: 5, width: 1}", "18.9"),
        ("jasper", "{blocks: 10, repeats: 5, width: 1}", "333"),
    ],
)
def test_the_sizes_of_the_papers(model: str, size: str, published: str, compose, tmp_path) -> None:
    overrides = [f"model={model}", f"model.encoder={size}", "features.bins=64"]
    encoder = compose("train", tmp_path, *overrides).model.encoder
    with torch.device("meta"):
        net = instantiate(encoder)
        head = torch.nn.Linear(net.dim, 29)  # 28 English characters and the blank
    weights = sum(weight.numel() for part in (net, head) for weight in part.parameters())
    decimals = len(published.partition(".")[2])
    assert f"{weights / 1e6:.{decimals}f}" == published


@pytest.mark.parametrize("family", [QuartzNet, Jasper])
@pytest.mark.parametrize("dense", [True, False])
def test_what_stands_beyond_the_end_changes_nothing(
    family: type[ConvolutionalEncoder], dense: bool
) -> None:
    torch.manual_seed(0)
    net = family(20, blocks=10, repeats=2, width=1 / 32, dense=dense).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):  # as after training: zeros do not stay zeros
            torch.nn.init.normal_(module.running_mean, std=0.3)
    features = torch.randn(2, 90, 20)
    for length in (1, 2, 31, 90):
        together, lengths = net(features, torch.tensor([90, length]))
        alone, (count,) = net(features[1:, :length], torch.tensor([length]))
        assert alone.shape == (1, -(-length // 2), net.dim)
        assert count == lengths[1] == net.frame_count(length) == alone.shape[1]
        torch.testing.assert_close(together[1, :count], alone[0], atol=1e-5, rtol=1e-5)


def test_a_number_of_blocks_that_the_five_kinds_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="blocks is 7; it must be a multiple of 5"):
        QuartzNet(20, blocks=7, repeats=1)
