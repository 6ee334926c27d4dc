"""A recogniser that runs an exported graph, and is tested and used as any other."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kaskad.export.onnx_file import OnnxRecogniser, session_of
from kaskad.export.streaming_file import SMALLEST, OnnxStreamingRecogniser
from kaskad.models.ctc import CTCRecogniser

Graph = OnnxRecogniser | OnnxStreamingRecogniser


def open_graph(file: Path) -> Graph:
    """The graph of a file, of whole recordings or of parts."""
    session = session_of(file)
    if SMALLEST in session.get_modelmeta().custom_metadata_map:
        return OnnxStreamingRecogniser(session)
    return OnnxRecogniser(session)


def decoding_through(graph: Graph, recogniser: CTCRecogniser) -> CTCRecogniser:
    """A copy of ``recogniser`` whose posteriors are those of ``graph``; its decoder is the same."""

    def forward(waveforms: Tensor, lengths: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
        log_probs, frames = graph(waveforms.cpu().numpy(), lengths.cpu().numpy())
        return torch.from_numpy(log_probs), torch.from_numpy(frames)

    decoding = copy.deepcopy(recogniser)
    decoding.forward = forward  # type: ignore[method-assign]
    return decoding
