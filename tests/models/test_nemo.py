"""Archives of NeMo's QuartzNet: nothing of them is executed, and the net gives what NeMo's gives.

The net here is NeMo's, written down from its source (JasperBlock, ConvASREncoder, ConvASRDecoder)
with its names: nemo-toolkit itself wants an environment of its own.
"""

import io
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import instantiate
from torch import Tensor, nn

from kaskad.models.transfer import transfer_weights
from kaskad.runs.checkpoints import CheckpointError

VOCABULARY = [" ", "a", "b", "c"]
FILTERS = [16, 16, 16, 32, 32, 32, 32, 64]
KERNELS = [33, 33, 39, 51, 63, 75, 87, 1]


class MaskedConv1d(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, **options) -> None:
        super().__init__()
        dilation = options.get("dilation", 1)
        padding = dilation * (kernel - 1) // 2
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=padding, bias=False, **options)

    def forward(self, maps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        conv = self.conv
        maps = maps * (torch.arange(maps.shape[2]) < lengths[:, None])[:, None]
        span = conv.dilation[0] * (conv.kernel_size[0] - 1) + 1
        return conv(maps), (lengths + 2 * conv.padding[0] - span) // conv.stride[0] + 1


class JasperBlock(nn.Module):
    def __init__(self, inputs: int, block: dict) -> None:
        super().__init__()
        self.mconv, self.res = nn.ModuleList(), nn.ModuleList()
        filters, (kernel,) = block["filters"], block["kernel"]
        how = {"stride": block["stride"][0], "dilation": block["dilation"][0]}
        size = inputs
        for repeat in range(block["repeat"]):
            if repeat:
                self.mconv.extend([nn.ReLU(), nn.Dropout(0.0)])
            if block["separable"]:
                self.mconv.append(MaskedConv1d(size, size, kernel, groups=size, **how))
                self.mconv.append(MaskedConv1d(size, filters, 1))
            else:
                self.mconv.append(MaskedConv1d(size, filters, kernel, **how))
            self.mconv.append(nn.BatchNorm1d(filters, eps=1e-3))
            size = filters
        if block["residual"]:
            self.res.append(
                nn.ModuleList([MaskedConv1d(inputs, filters, 1), nn.BatchNorm1d(filters, eps=1e-3)])
            )

    def forward(self, maps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        first, first_lengths = maps, lengths
        for layer in self.mconv:
            if isinstance(layer, MaskedConv1d):
                maps, lengths = layer(maps, lengths)
            else:
                maps = layer(maps)
        for convolution, normalisation in self.res:
            maps = maps + normalisation(convolution(first, first_lengths)[0])
        return torch.relu(maps), lengths


def blocks(repeat: int = 2) -> list[dict]:
    made = []
    for number, (filters, kernel) in enumerate(zip(FILTERS, KERNELS, strict=True)):
        inner = 0 < number < 6
        made.append(
            {
                "filters": filters,
                "repeat": repeat if inner else 1,
                "kernel": [kernel],
                "stride": [2 if number == 0 else 1],
                "dilation": [2 if number == 6 else 1],
                "residual": inner,
                "separable": number < 7,
            }
        )
    return made


def nemo_net(bins: int = 20) -> nn.ModuleDict:
    torch.manual_seed(0)
    sizes = [bins, *FILTERS]
    encoder = nn.ModuleList(JasperBlock(size, b) for size, b in zip(sizes, blocks(), strict=False))
    head = nn.Conv1d(FILTERS[-1], len(VOCABULARY) + 1, 1)
    net = nn.ModuleDict(
        {
            "encoder": nn.ModuleDict({"encoder": encoder}),
            "decoder": nn.ModuleDict({"decoder_layers": nn.ModuleList([head])}),
        }
    )
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 1e-4, 2.0)  # some as small as what is added
    return net.eval()


def archive(path: Path, weights: object, **changes: object) -> Path:
    config = {
        "preprocessor": {"features": 20, "sample_rate": 16_000},
        "encoder": {"jasper": blocks()},
        "decoder": {"vocabulary": VOCABULARY},
    } | changes
    saved = io.BytesIO()
    torch.save(weights, saved)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (
            ("./model_config.yaml", yaml.safe_dump(config).encode()),
            ("./model_weights.ckpt", saved.getvalue()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def quartznet(compose, tmp_path: Path):
    def make(*overrides: str):
        sizes = ["model.encoder.repeats=2", "model.encoder.width=0.0625", "features.bins=20"]
        config = compose("train", tmp_path, "model=quartznet", "features=nemo", "augment=none",
                         "tokenizer.alphabet=[a,b,' ']", *sizes, *overrides)  # fmt: skip
        return instantiate(config.model).eval(), config.model.features

    return make


@torch.no_grad()
def test_logits_are_those_of_nemo_on_the_same_features(quartznet, tmp_path: Path) -> None:
    theirs = nemo_net()
    path = archive(tmp_path / "x.nemo", theirs.state_dict())
    recogniser, features = quartznet()
    transfer = transfer_weights(recogniser, path, features)
    assert not [name for name in transfer.fresh if name.startswith("encoder.")]
    bands, lengths = torch.randn(2, 200, 20), torch.tensor([200, 133])
    maps, counts = bands.transpose(1, 2), lengths
    for block in theirs["encoder"]["encoder"]:
        maps, counts = block(maps, counts)
    logits = theirs["decoder"]["decoder_layers"][0](maps).transpose(1, 2)
    encoded, frames = recogniser.encoder(bands, lengths)
    found = recogniser.head(encoded)
    assert frames.tolist() == counts.tolist()
    # Here: the blank, a, b, the blank between words; there: " ", a, b, c, the blank of CTC.
    order = [VOCABULARY.index(label) for label in recogniser.tokenizer.labels[1:]]
    for row, count in enumerate(frames.tolist()):
        wanted = logits[row, :count][:, [len(VOCABULARY), *order]]
        torch.testing.assert_close(found[row, :count], wanted, atol=1e-3, rtol=1e-3)


class Harm:
    def __reduce__(self):
        return print, ("harm",)


def test_what_does_not_fit_or_would_run_is_refused(quartznet, tmp_path: Path, capsys) -> None:
    weights = nemo_net().state_dict()
    recogniser, features = quartznet("model.encoder.repeats=1")
    path = archive(tmp_path / "x.nemo", weights)
    with pytest.raises(CheckpointError, match=r"take its sizes: .*repeats=2 .*width=0\.0625"):
        transfer_weights(recogniser, path, features)
    excited = [{**block, "se": True} for block in blocks()]
    cases = {
        "squeeze-and-excitation": archive(
            tmp_path / "b.nemo", weights, encoder={"jasper": excited}
        ),
        "its settings lack 'jasper'": archive(tmp_path / "c.nemo", weights, encoder={}),
        "holds more than weights": archive(tmp_path / "d.nemo", {"a": Harm()}),
        "its head is not for its 2 labels": archive(
            tmp_path / "e.nemo", weights, decoder={"vocabulary": ["a"]}
        ),
    }
    torn = tmp_path / "f.nemo"
    torn.write_bytes(path.read_bytes()[:1000])
    other = tmp_path / "g.nemo"
    other.write_bytes(pickle.dumps(Harm()))
    cases |= {"torn one": torn, "no archive of NeMo": other}
    for reason, file in cases.items():
        with pytest.raises(CheckpointError, match=reason):
            transfer_weights(recogniser, file, features)
    assert "harm" not in capsys.readouterr().out
