"""What an encoder says of its layers, for every one that a configuration names."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

ROOT = Path(__file__).parents[3]
WITH_LAYERS = sorted(
    path.stem
    for path in (ROOT / "conf" / "model").glob("*.yaml")
    if "head@_here_: ctc" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_LAYERS)
@torch.no_grad()
def test_every_layer_is_passed_on_and_the_last_is_the_result(name: str, compose, tmp_path) -> None:
    encoder = instantiate(compose("train", tmp_path, f"model={name}").model.encoder).eval()
    features, lengths = torch.randn(2, 40, 80), torch.tensor([40, 17])
    outputs = {}
    encoder.listener = lambda number, *output: outputs.update({number: output})
    encoded, ends = encoder(features, lengths)
    assert list(outputs) == list(range(1, len(encoder.layer_dims) + 1))
    assert [output.shape[2] for output, _ in outputs.values()] == list(encoder.layer_dims)
    assert all(output.shape[1] == int(frames.max()) for output, frames in outputs.values())
    last, frames = outputs[len(outputs)]
    assert torch.equal(last, encoded)
    assert frames.tolist() == ends.tolist()
