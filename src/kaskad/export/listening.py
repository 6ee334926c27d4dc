"""A recogniser that runs an exported graph, and is tested and used as any other."""

import copy
from typing import Any

import torch
from torch import Tensor

from kaskad.export.onnx_file import OnnxRecogniser
from kaskad.models.ctc import CTCRecogniser


def hearing_through(graph: OnnxRecogniser, recogniser: CTCRecogniser) -> CTCRecogniser:
    """A copy of ``recogniser`` whose posteriors are those of ``graph``; its decoder is the same."""

    def forward(waveforms: Tensor, lengths: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
        log_probs, frames = graph(waveforms.cpu().numpy(), lengths.cpu().numpy())
        return torch.from_numpy(log_probs), torch.from_numpy(frames)

    listening = copy.deepcopy(recogniser)
    listening.forward = forward  # type: ignore[method-assign]
    return listening
