"""A graph that decodes while somebody speaks: written, checked against PyTorch, and run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from kaskad.export.onnx_file import CLOSE, describe, example_batch, export_graph, session_of
from kaskad.export.posterior_net import ExportError
from kaskad.export.streaming_net import StreamingNet
from kaskad.models.ctc import CTCRecogniser

GRAPH = "model.streaming.onnx"
SMALLEST = "smallest_part"  # in the metadata of a streaming graph, and of no other
STATE, NEXT = "state_{}", "next_state_{}"


def to_onnx_streaming(recogniser: CTCRecogniser, folder: Path) -> dict[str, Any]:
    """From the next samples and the state to log-probabilities and the next state; checked against
    the recogniser's own stream."""
    net = StreamingNet(recogniser)
    file = folder / GRAPH
    numbers = range(len(net.state))
    ours, names = [STATE.format(n) for n in numbers], ["log_probs", *map(NEXT.format, numbers)]
    moving = {"samples": {1: "samples"}, "log_probs": {1: "frames"}}
    state, axes = _after_some_parts(net)
    for name, after, each in zip(ours, names[1:], axes, strict=True):
        if each:
            moving |= {name: each, after: each}
    example = torch.zeros(1, 2 * net.smallest), torch.tensor(0), *state
    export_graph(net, example, file, ["samples", "is_last", *ours], names, moving)
    facts = {
        "graph": file.name,
        "streaming": True,
        "inputs": {
            "samples": f"float32 (1, samples), from -1 to 1: {net.smallest} of them at least, but "
            "for the last part, which may have none",
            "is_last": "int64 (): 1 with the last part, else 0",
            **{name: "zeros first, then what came out as next_" + name for name in ours},
        },
        "outputs": {"log_probs": "float32 (1, frames, labels)"},
        "beginning": {name: list(each.shape) for name, each in zip(ours, net.state, strict=True)},
        "sample_rate": recogniser.features.sample_rate,
        "seconds_per_frame": recogniser.seconds_per_frame,
        "blank": 0,
        SMALLEST: net.smallest,
    }
    describe(file, {**facts, "labels": recogniser.tokenizer.labels})
    off = _difference(recogniser, file)
    if off > CLOSE:
        raise ExportError(
            f"the graph's log-probabilities differ from PyTorch's by {off:.1e}, more than {CLOSE}"
        )
    return {**facts, "largest_difference": off, "bytes": file.stat().st_size}


class OnnxStream:
    """Runs a streaming graph, part by part: samples (samples,) at its rate to log-probabilities
    (frames, labels). Parts may be of any length; what is too short waits for the next."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        metadata = session.get_modelmeta().custom_metadata_map
        self._smallest = int(metadata[SMALLEST])
        shapes = json.loads(metadata["beginning"])
        self._state = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self._waiting = np.zeros(0, np.float32)

    def push(self, samples: np.ndarray, *, is_last: bool = False) -> np.ndarray:
        """The log-probabilities that the next samples complete."""
        self._waiting = np.concatenate([self._waiting, samples.astype(np.float32)])
        if len(self._waiting) < self._smallest and not is_last:
            return np.zeros((0, self.session.get_outputs()[0].shape[2]), np.float32)
        fed = {"samples": self._waiting[None], "is_last": np.array(int(is_last)), **self._state}
        log_probs, *state = self.session.run(None, fed)
        self._waiting = self._waiting[:0]
        self._state = dict(zip(self._state, state, strict=True))
        return np.asarray(log_probs[0])


class OnnxStreamingRecogniser:
    """Runs a streaming graph over whole recordings, as ``OnnxRecogniser`` runs others."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session

    def __call__(self, inputs: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [
            OnnxStream(self.session).push(samples[:length], is_last=True)
            for samples, length in zip(inputs, lengths, strict=True)
        ]
        frames = np.array([len(each) for each in found])
        log_probs = np.zeros((len(found), max(frames), found[0].shape[1]), np.float32)
        for row, each in zip(log_probs, found, strict=True):
            row[: len(each)] = each
        return log_probs, frames


@torch.no_grad()
def _after_some_parts(net: StreamingNet) -> tuple[list[Tensor], list[dict[int, str]]]:
    """A state in the middle of a recording, and of each of its tensors the axes that change their
    length on the way there."""
    states = [net.state]
    for more in range(2 * net.encoder.time_reduction + 1):
        samples = torch.zeros(1, net.smallest + more * net.spectrogram.hop)
        states.append(list(net(samples, torch.tensor(0), *states[-1])[1:]))
    axes = []
    for number, each in enumerate(zip(*states, strict=True)):
        lengths = [{tensor.shape[axis] for tensor in each} for axis in range(each[0].dim())]
        axes.append({n: f"length_{number}" for n, found in enumerate(lengths) if len(found) > 1})
    return states[-1], axes


@torch.inference_mode()
def _difference(recogniser: CTCRecogniser, file: Path) -> float:
    """By how much the graph differs from the recogniser's stream, at most."""
    waveform = example_batch(recogniser.features.sample_rate)[0][0].numpy()
    wanted = recogniser.stream().posteriors(waveform, is_last=True).numpy()
    stream = OnnxStream(session_of(file))
    third = len(waveform) // 3
    parts = [waveform[:third], waveform[third:], waveform[:0]]
    found = np.concatenate([stream.push(each, is_last=len(each) == 0) for each in parts])
    if found.shape != wanted.shape:
        raise ExportError(f"the graph gives {len(found)} frames, and PyTorch {len(wanted)}")
    return float(np.abs(found - wanted).max())
