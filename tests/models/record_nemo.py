"""Record what NeMo's own nets give: the names and shapes of their weights, and logits.

    python tests/models/record_nemo.py

in an environment with nemo-toolkit writes ``nemo.json`` beside this file. The weights are made by
a rule, so that tests make the same ones without NeMo.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

RECORD = Path(__file__).with_name("nemo.json")
BINS, FRAMES, LENGTHS = 20, 203, (203, 134)
VOCABULARY = [" ", "a", "b", "c"]


def quartznet() -> list[dict[str, Any]]:
    """The blocks of QuartzNet 5x2, a sixteenth as wide."""
    kernels = [33, 33, 39, 51, 63, 75, 87, 1]
    filters = [16, 16, 16, 32, 32, 32, 32, 64]
    return [
        {
            "filters": filters[number],
            "repeat": 2 if 0 < number < 6 else 1,
            "kernel": [kernels[number]],
            "stride": [2 if number == 0 else 1],
            "dilation": [2 if number == 6 else 1],
            "dropout": 0.0,
            "residual": 0 < number < 6,
            "separable": number < 7,
        }
        for number in range(8)
    ]


def citrinet() -> list[dict[str, Any]]:
    """The blocks of a small Citrinet, as NeMo's configurations write them."""
    common = {"separable": True, "se": True, "se_context_size": -1, "dilation": [1]}
    common |= {"dropout": 0.0, "stride": [1]}
    inner = common | {"filters": 32, "repeat": 2, "residual": True, "kernel_size_factor": 0.6}
    halving = {"stride": [2], "stride_last": True, "residual_mode": "stride_add"}
    outer = common | {"repeat": 1, "residual": False}
    return [
        outer | {"filters": 32, "kernel": [5]},
        inner | {"kernel": [11]} | halving,
        inner | {"kernel": [13]},
        inner | {"kernel": [15]} | halving,
        outer | {"filters": 48, "kernel": [41]},
    ]


NETS = {"quartznet": (quartznet, len(VOCABULARY)), "citrinet": (citrinet, 9)}


def weights_by_rule(shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """A state: of each weight, its values follow from its name and shape."""
    return {name: _by_rule(name, shape) for name, shape in shapes.items()}


def _by_rule(name: str, shape: list[int]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    count = torch.Size(shape).numel()
    begin = zlib.crc32(name.encode()) % 10_000
    # The fraction of multiples of an irrational number: as good as drawn, from 0 to 1.
    drawn = (torch.arange(begin, begin + count, dtype=torch.float64) * 0.6180339887498949) % 1
    values = drawn.reshape(shape)
    if name.endswith("running_var"):
        values = values * 2 + 1e-4  # some as small as what is added to them
    elif len(shape) == 1:
        values = values - 0.5 + name.endswith("1.weight")
    else:
        values = (values - 0.5) * (12 / torch.Size(shape[1:]).numel()) ** 0.5 * 1.4
    return values.float()


def features() -> tuple[Tensor, Tensor]:
    """Those that both hear: (batch, frames, bins), (batch,)."""
    return _by_rule("features", [2, FRAMES, BINS]) * 8, torch.tensor(LENGTHS)


def record() -> dict[str, Any]:
    """What NeMo gives."""
    import nemo
    from nemo.collections.asr.modules.conv_asr import ConvASRDecoder, ConvASREncoder

    recorded: dict[str, Any] = {"nemo": nemo.__version__}
    for name, (blocks, labels) in NETS.items():
        encoder = ConvASREncoder(jasper=blocks(), activation="relu", feat_in=BINS)
        decoder = ConvASRDecoder(feat_in=blocks()[-1]["filters"], num_classes=labels)
        net = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        shapes = {key: list(weight.shape) for key, weight in net.state_dict().items()}
        net.load_state_dict(weights_by_rule(shapes))
        bands, lengths = features()
        with torch.no_grad():
            encoded, counts = net.eval()["encoder"](
                audio_signal=bands.transpose(1, 2), length=lengths
            )
            logits = decoder.decoder_layers(encoded).transpose(1, 2)
        recorded[name] = {
            "shapes": shapes,
            "frames": counts.tolist(),
            "logits": [
                [[round(value, 5) for value in row] for row in each[:count].tolist()]
                for each, count in zip(logits, counts.tolist(), strict=True)
            ],
        }
    return recorded


if __name__ == "__main__":
    RECORD.write_text(json.dumps(record(), separators=(",", ":")), encoding="utf-8")
