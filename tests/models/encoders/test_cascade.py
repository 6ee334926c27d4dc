"""A cascade of any encoders: each language goes its own way as far as it is told to."""

from functools import partial

import pytest
import torch
from torch import nn

from kaskad.models.encoders.cascade import Cascade
from kaskad.models.encoders.cascade_lstm import CascadeLSTM
from kaskad.models.encoders.cnn2d import CNN2d
from kaskad.models.encoders.recurrent import RecurrentEncoder

BINS = 6
LAYER = partial(RecurrentEncoder, hidden_size=4, layers=1, layer_norm=True)
FRONT = partial(CNN2d, time_reduction=2, channels=(3, 3))
SETTINGS = {
    "a subnet each": {"subnet": LAYER, "time_reduction": 3},
    "one net for all": {},
    "one net, told apart": {"language_embedding": 5},
    "a front for all": {"subnet": LAYER, "front": FRONT},
    "a front each": {"subnet": LAYER, "front": FRONT, "front_per_language": True},
    "convolutions as subnets": {"subnet": FRONT, "time_reduction": 2},
    "scales": {"subnet": LAYER, "adaptation": "scales"},
    "adapters": {"adaptation": "adapters", "adapter_size": 2},
}


def cascade(branches: str = "ru en", **settings) -> Cascade:
    torch.manual_seed(0)
    net = Cascade(BINS, branches.split(), LAYER, **settings).eval()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.5)  # adapters begin as nothing
    return net


def encode(net: Cascade, branch: str, features: torch.Tensor) -> torch.Tensor:
    lengths = torch.full((len(features),), features.shape[1])
    return net(features, lengths, branch)[0]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@torch.no_grad()
def test_padding_never_changes_a_result(settings: dict) -> None:
    net = cascade(**settings)
    features, lengths = torch.randn(2, 17, BINS), torch.tensor([17, 10])
    features[1, 10:] = 0.0
    for branch in net.branches:
        together, frames = net(features, lengths, branch)
        alone = encode(net, branch, features[1:, :10])
        assert together.shape == (2, net.frame_count(17), net.dim)
        assert frames.tolist() == [net.frame_count(17), net.frame_count(10)]
        assert net.frame_count(17) == -(-17 // net.time_reduction)
        torch.testing.assert_close(together[1:, : frames[1]], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_one_net_for_all_treats_languages_alike_unless_asked() -> None:
    features = torch.randn(1, 9, BINS)
    for size, alike in ((0, True), (5, False)):
        net = cascade(language_embedding=size)
        russian, english = (encode(net, branch, features) for branch in ("ru", "en"))
        assert torch.equal(russian, english) == alike


@pytest.mark.parametrize("adaptation", ["scales", "adapters"])
def test_what_adapts_begins_as_nothing_and_belongs_to_a_language(adaptation) -> None:
    torch.manual_seed(0)
    net = Cascade(BINS, ["ru", "en"], LAYER, LAYER, adaptation=adaptation).eval()
    sequences, lengths = torch.randn(1, 5, 8), torch.tensor([5])
    for part in (net.entries["ru"], net.exits["ru"]):
        torch.testing.assert_close(part(sequences, lengths)[0], sequences)
    encode(net, "ru", torch.randn(1, 9, BINS)).square().sum().backward()
    taught = {name for name, weight in net.named_parameters() if weight.grad is not None}
    assert any(name.startswith("exits.ru.") for name in taught)
    assert not any(".en." in name for name in taught)


@torch.no_grad()
def test_tied_branches_have_one_subnet_between_them() -> None:
    net = cascade("ru uk en", subnet=LAYER, tied=[["ru", "uk"]])
    features = torch.randn(1, 9, BINS)
    russian, ukrainian, english = (encode(net, branch, features) for branch in net.branches)
    assert torch.equal(russian, ukrainian) and not torch.equal(russian, english)
    apart = cascade("ru uk en", subnet=LAYER)
    sizes = [sum(weight.numel() for weight in each.parameters()) for each in (net, apart)]
    subnet = sum(weight.numel() for weight in net.subnets["en"].parameters())
    assert sizes[1] - sizes[0] == subnet


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subnet": LAYER, "tied": [["ru", "eng"]]}, "no branch is called 'eng'; did you mean en"),
        ({"subnet": LAYER, "tied": [["ru", "en"], ["en"]]}, "'en' stands in it twice"),
        ({"tied": [["ru", "en"]]}, "no subnets .subnet is null. that could be tied"),
        ({"time_reduction": 0}, "time_reduction is 0; it is 1 or more"),
        ({"language_embedding": -1}, "language_embedding is -1; it is 0 or more"),
        ({"adapter_size": 0}, "adapter_size is 0; it is 1 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cascade(**settings)


@torch.no_grad()
def test_weights_of_before_load_as_they_were_trained() -> None:
    torch.manual_seed(0)
    options = {"hidden_size": 4, "dropout": 0.2}
    net = CascadeLSTM(BINS, ["ru", "en"], 2, 1, 2, **options).eval()
    before = {
        name.replace("shared.layers.", "shared."): torch.randn_like(weight)
        for name, weight in net.state_dict().items()
    }
    assert "shared.forwards.1.weight_hh_l0" in before
    net.load_state_dict(before)
    features, lengths = torch.randn(1, 8, BINS), torch.tensor([4])
    sequences, _ = net.subnets["en"](features.unflatten(1, (4, 2)).flatten(2), lengths)
    torch.testing.assert_close(encode(net, "en", features), net.shared.layers(sequences, lengths))
    name = "forwards.1.weight_hh_l0"
    assert torch.equal(net.shared.layers.get_parameter(name), before[f"shared.{name}"])
