"""ONNX: written, checked against PyTorch, run, and made smaller."""

import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from kaskad.export.posterior_net import ExportError, NemoNet, PosteriorNet
from kaskad.export.streaming_net import StreamingNet

OPSET = 17
CLOSE = 1e-4  # log-probabilities of the file differ from those of PyTorch by less
INPUTS, OUTPUTS = ("waveforms", "lengths"), ("log_probs", "frames")
TRIED = (
    24_000,
    16_123,
    4_001,
)  # samples of the recordings with which a graph is traced and checked


def write_onnx(
    net: PosteriorNet | NemoNet,
    example: tuple[Tensor, Tensor],
    file: Path,
    inputs: Sequence[str] = INPUTS,
    outputs: Sequence[str] = OUTPUTS,
) -> None:
    """Write a net as ONNX for batches and recordings of any size.

    Args:
        net: ``forward(inputs, lengths)`` gives log-probabilities (batch, frames, labels) first.
        example: inputs (batch, …, time), lengths (batch,): any.
        file: where it is written.
        inputs: the names of the two inputs.
        outputs: those of what comes out.

    Raises:
        ExportError: for a net with an operation that the exporter does not know.
    """
    time = example[0].dim() - 1
    moving = {
        inputs[0]: {0: "batch", time: "time"},
        inputs[1]: {0: "batch"},
        outputs[0]: {0: "batch", 1: "frames"},
        **{name: {0: "batch"} for name in outputs[1:]},
    }
    export_graph(net, example, file, inputs, outputs, moving)


def export_graph(
    net: PosteriorNet | NemoNet | StreamingNet,
    example: tuple[Tensor, ...],
    file: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    moving: Mapping[str, Mapping[int, str]],
) -> None:
    """Write a net as ONNX, as it goes through an example.

    Args:
        net: what is written.
        example: what goes into it.
        file: where it is written.
        inputs: the names of what goes in.
        outputs: those of what comes out.
        moving: of what goes in and comes out, the axes of any length, each with a name.

    Raises:
        ExportError: for a net with an operation that the exporter does not know.
    """
    _divide_as_python_does()
    with warnings.catch_warnings():
        # The exporter that draws graphs from a run is the one that knows recurrent layers; it warns
        # that it is old, and that sizes are traced, which the check of each form looks at.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                net,
                example,
                str(file),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: dict(axes) for name, axes in moving.items()},
                opset_version=OPSET,
                dynamo=False,
            )
        except Exception as error:  # of any kind, from deep within the exporter
            what = str(error).partition("\n")[0]
            raise ExportError(
                f"the exporter cannot follow a {type(net.encoder).__name__} on "
                f"{type(net.features).__name__}: {what}"
            ) from error
    onnx.checker.check_model(str(file))


def describe(file: Path, properties: Mapping[str, Any]) -> None:
    """Put what a program must know of a graph into its metadata."""
    model = onnx.load(str(file))
    onnx.helper.set_model_props(
        model,
        {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in properties.items()
        },
    )
    onnx.save(model, str(file))


def session_of(file: Path) -> onnxruntime.InferenceSession:
    """A graph, ready to run on as many threads as PyTorch has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


class OnnxRecogniser:
    """Runs an exported graph: ``(inputs, lengths) -> log-probabilities, frames``."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.names = [each.name for each in self.session.get_inputs()]

    def __call__(self, inputs: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fed = dict(zip(self.names, (inputs, lengths.astype(np.int64)), strict=True))
        log_probs, frames = self.session.run(None, fed)
        return log_probs, frames


@torch.inference_mode()
def difference(net: nn.Module, graph: OnnxRecogniser, inputs: Tensor, lengths: Tensor) -> float:
    """By how much the log-probabilities of a graph differ from those of a net, at most, within the
    utterances of a batch; raises ``ExportError`` where they are not as many."""
    wanted, frames = net(inputs, lengths)
    found, found_frames = graph(inputs.numpy(), lengths.numpy())
    if found_frames.tolist() != frames.tolist():
        raise ExportError(
            f"the graph gives {found_frames.tolist()} frames, and PyTorch {frames.tolist()}: this "
            "encoder does arithmetic that the exporter does not follow"
        )
    return max(
        float(np.abs(theirs[:count] - ours[:count].numpy()).max())
        for theirs, ours, count in zip(found, wanted, frames.tolist(), strict=True)
    )


def external_file(file: Path) -> str | None:
    """The name of another file in which a graph has weights; None where it is whole by itself."""
    model = onnx.load(str(file), load_external_data=False)
    nodes = [*model.graph.node, *(node for each in model.functions for node in each.node)]
    for weight in (*model.graph.initializer, *_tensors_in(nodes)):
        for entry in weight.external_data:
            if entry.key == "location":
                return str(entry.value)
    return None


def _tensors_in(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    """The constants of nodes, and all that stands in their branches and loops."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in (attribute.g, *attribute.graphs):
                yield from graph.initializer
                yield from _tensors_in(graph.node)


def quantise(file: Path, output: Path) -> None:
    """Write a graph whose weights are whole numbers of 8 bits; activations are measured as they
    come. The Fourier transform, which is in double precision, stays as it is."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it tells of every product that stays as it is
    try:
        quantize_dynamic(
            str(file),
            str(output),
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
            per_channel=False,
        )
    finally:
        root.setLevel(level)


def example_batch(sample_rate: int) -> tuple[Tensor, Tensor]:
    """Noises of different lengths that swell and fade, as a batch of recordings."""
    generator = np.random.default_rng(0)
    lengths = [count * sample_rate // 16_000 for count in TRIED]
    batch = np.zeros((len(lengths), max(lengths)), dtype=np.float32)
    for row, length in zip(batch, lengths, strict=True):
        loudness = 0.2 * np.sin(np.pi * np.arange(length) / length) ** 2
        row[:length] = loudness * generator.normal(size=length)
    return torch.from_numpy(batch), torch.tensor(lengths)


def _divide_as_python_does() -> None:
    """Have ``//`` of whole numbers round down in the graph, too: the exporter cuts off, and our
    frames are counted by ``-(-frames // 2)``."""

    def floor_divide(graph: Any, dividend: Any, divisor: Any) -> Any:
        rest = graph.op("Mod", dividend, divisor, fmod_i=0)
        return graph.op("Div", graph.op("Sub", dividend, rest), divisor)

    torch.onnx.register_custom_op_symbolic("aten::floor_divide", floor_divide, OPSET)
