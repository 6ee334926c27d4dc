"""The forms in which a recogniser can be exported, each a folder of files."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kaskad.export.onnx_file import (
    CLOSE,
    OnnxRecogniser,
    describe,
    difference,
    example_batch,
    quantise,
    session_of,
    write_onnx,
)
from kaskad.export.posterior_net import ExportError, PosteriorNet, require_ctc
from kaskad.export.sherpa import write_sherpa
from kaskad.export.streaming_file import GRAPH as STREAMING_GRAPH
from kaskad.export.streaming_file import to_onnx_streaming
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import Recogniser

FACTS, LABELS = "export.json", "labels.txt"
# Why these cannot be had: what was tried, with which versions.
NOT_YET = {
    "tflite": "litert-torch 0.10 installs beside torch 2.11, but wants a fixed length, and writes "
    "a recurrent layer out step by step",
    "executorch": "every executorch that knows torch 2.11 wants numpy 2, and the beam search of "
    "the house (pyctcdecode) numpy 1",
}
GRAPH = {"onnx": "model.onnx", "onnx_int8": "model.int8.onnx", "onnx_streaming": STREAMING_GRAPH}

Facts = dict[str, Any]


def export(recogniser: Recogniser, form: str, folder: Path) -> Facts:
    """Write a recogniser into ``folder``, which is made, in one of the ``FORMS``.

    Returns what export.json says: how the graph is fed, its ``graph`` file, and how far it is from
    PyTorch. Raises ``ExportError`` where it cannot be written in this form.
    """
    if form in NOT_YET:
        raise ExportError(
            f"format={form}: {NOT_YET[form]}; take format=onnx, which runs everywhere"
        )
    if form not in FORMS:
        raise ExportError(f"format={form}: no such form; it is one of {', '.join(FORMS)}")
    net = require_ctc(recogniser)
    folder.mkdir(parents=True)
    try:
        facts = FORMS[form](net, folder)
        _write_labels(net.tokenizer.labels, folder / LABELS)
        facts = {"format": form, **facts}
        text = json.dumps(facts, ensure_ascii=False, indent=4)
        (folder / FACTS).write_text(text, encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return facts


def to_onnx(recogniser: CTCRecogniser, folder: Path) -> Facts:
    """From samples to log-probabilities, features included; checked against PyTorch."""
    net = PosteriorNet(recogniser)
    rate = recogniser.features.sample_rate
    example = example_batch(rate)
    file = folder / GRAPH["onnx"]
    write_onnx(net, example, file)
    facts = {
        "graph": file.name,
        "inputs": {
            "waveforms": "float32 (batch, samples), from -1 to 1",
            "lengths": "int64 (batch,)",
        },
        "outputs": {"log_probs": "float32 (batch, frames, labels)", "frames": "int64 (batch,)"},
        "sample_rate": rate,
        "seconds_per_frame": recogniser.seconds_per_frame,
        "blank": 0,
    }
    describe(file, {**facts, "labels": recogniser.tokenizer.labels})
    off = difference(recogniser.eval(), OnnxRecogniser(session_of(file)), *example)
    if off > CLOSE:
        raise ExportError(
            f"the graph's log-probabilities differ from PyTorch's by {off:.1e}, more than {CLOSE}"
        )
    return {**facts, "largest_difference": off, "bytes": file.stat().st_size}


def to_onnx_int8(recogniser: CTCRecogniser, folder: Path) -> Facts:
    """As ``to_onnx``, with weights of 8 bits."""
    facts = to_onnx(recogniser, folder)
    whole, small = folder / GRAPH["onnx"], folder / GRAPH["onnx_int8"]
    quantise(whole, small)
    example = example_batch(recogniser.features.sample_rate)
    off = difference(recogniser.eval(), OnnxRecogniser(session_of(small)), *example)
    return {
        **facts,
        "graph": small.name,
        "largest_difference": off,
        "bytes": small.stat().st_size,
        "bytes_before": whole.stat().st_size,
    }


FORMS: dict[str, Callable[[CTCRecogniser, Path], Facts]] = {
    "onnx": to_onnx,
    "onnx_int8": to_onnx_int8,
    "onnx_streaming": to_onnx_streaming,
    "sherpa": write_sherpa,
}


def _write_labels(labels: Sequence[str], file: Path) -> None:
    """The label of each number from 0 on, one a line; that of the blank, the first, is empty."""
    written = [label.replace("\n", "\\n") for label in labels]
    file.write_text("".join(f"{label}\n" for label in written), encoding="utf-8")
