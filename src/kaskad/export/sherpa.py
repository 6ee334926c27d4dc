"""The form that sherpa-onnx loads: NeMo's models with CTC, whose features it computes itself.

The convention is that of sherpa-onnx's offline-nemo-enc-dec-ctc-model.cc: inputs ``audio_signal``
and ``length``, what must be known in the metadata, and tokens.txt with the blank last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from kaskad.export.onnx_file import CLOSE, describe, write_onnx
from kaskad.export.posterior_net import ExportError, NemoNet
from kaskad.models.ctc import CTCRecogniser

GRAPH, TOKENS = "model.onnx", "tokens.txt"
BLANK, BORDER = "<blk>", "▁"
TRIED = (200, 131, 8)  # frames with which the graph is traced


def write_sherpa(recogniser: CTCRecogniser, folder: Path) -> dict[str, Any]:
    """Write model.onnx and tokens.txt for ``sherpa_onnx.OfflineRecognizer.from_nemo_ctc``.

    Raises ``ExportError`` for features that sherpa-onnx does not compute, and labels that a line of
    tokens.txt cannot hold.
    """
    net = NemoNet(recogniser)
    labels = recogniser.tokenizer.labels
    write_tokens(labels, folder / TOKENS)
    bins = recogniser.features.bins
    generator = torch.Generator().manual_seed(0)
    bands = torch.randn(len(TRIED), bins, max(TRIED), generator=generator)
    inputs, outputs = ("audio_signal", "length"), ("logprobs",)
    lengths = torch.tensor(TRIED)
    write_onnx(net, (bands, lengths), folder / GRAPH, inputs, outputs)
    off = _difference(net, folder / GRAPH, bands, lengths)
    if off > CLOSE:
        raise ExportError(
            f"the graph's log-probabilities differ from PyTorch's by {off:.1e}, more than {CLOSE}"
        )
    facts = {
        "model_type": "EncDecCTCModel",
        "vocab_size": len(labels) - 1,
        "subsampling_factor": recogniser.encoder.time_reduction,
        "normalize_type": "",  # done in the graph
    }
    describe(folder / GRAPH, {**facts, "made_by": "kaskad"})
    return {
        "graph": GRAPH,
        "tokens": TOKENS,
        "sample_rate": recogniser.features.sample_rate,
        "feature_dim": bins,
        "largest_difference": off,
        "bytes": (folder / GRAPH).stat().st_size,
    }


@torch.inference_mode()
def _difference(net: NemoNet, file: Path, bands: Tensor, lengths: Tensor) -> float:
    """By how much a graph differs from its net, at most, within the utterances of a batch."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"audio_signal": bands.numpy(), "length": lengths.numpy()})
    wanted = net(bands, lengths)
    return max(
        float((torch.from_numpy(theirs[:count]) - ours[:count]).abs().max())
        for theirs, ours, count in zip(
            found, wanted, net.encoder.frame_count(lengths).tolist(), strict=True
        )
    )


def write_tokens(labels: Sequence[str], file: Path) -> None:
    """Write the labels, the blank last, each with its number."""
    rows = [label.replace(" ", BORDER) for label in labels[1:]]
    if unwritable := [row for row in rows if not row or not row.isprintable()]:
        raise ExportError(f"the label {unwritable[0]!r} cannot stand in {TOKENS}")
    lines = [f"{row} {number}\n" for number, row in enumerate([*rows, BLANK])]
    file.write_text("".join(lines), encoding="utf-8")
