"""Size, WER and speed of a recogniser in PyTorch and in each form it is exported in, side by side.

    python benchmarks/exported_speed.py --checkpoint releases/…/v1 [--sherpa runs/…] [--corpus an4]

Test utterances are transcribed one by one, greedily, on one thread; the ways take turns, so that
what else runs on the machine slows all of them alike, and the fastest turn of each counts.
Kaskad's decoder is used for all but sherpa-onnx, which has its own, and needs a recogniser of
features=kaldi. Beside them stands PyTorch with a beam and a 3-gram of the training transcripts.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from kaskad.audio.reading import read_audio
from kaskad.corpora import make_numbers, read_an4
from kaskad.export.decoding import decoding_through, open_graph
from kaskad.export.formats import export
from kaskad.metrics.error_rates import score
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.ngrams.language_model import make_language_model
from kaskad.runs.environment import environment

Transcribe = Callable[[np.ndarray], str]
ROUNDS = 3  # turns in which the utterances are transcribed
# How a corpus is read, where it lies by default, and its language.
CORPORA: dict[str, tuple[Callable[[Path, str], pl.DataFrame], Path, str]] = {
    "numbers": (make_numbers, Path("data/numbers"), "ru"),
    "an4": (read_an4, Path(os.environ.get("KASKAD_DATA", "data"), "an4"), "en"),
}


def forms_of(
    name: str, recogniser: CTCRecogniser, folder: Path
) -> dict[str, tuple[int, Transcribe]]:
    """The bytes of PyTorch and of each graph that takes samples, and how each transcribes."""

    def by(recogniser: CTCRecogniser) -> Transcribe:
        return lambda samples: recogniser.decode_waveforms([samples])[0].text

    weights = sum(each.nbytes for each in recogniser.encoder.state_dict().values())
    weights += sum(each.nbytes for each in recogniser.head.state_dict().values())
    ways = {f"{name}PyTorch": (weights, by(recogniser))}
    for form in ("onnx", "onnx_int8"):
        facts = export(recogniser, form, folder / form)
        graph = open_graph(folder / form / str(facts["graph"]))
        ways[f"{name}{form}"] = (facts["bytes"], by(decoding_through(graph, recogniser)))
    return ways


def sherpa(recogniser: CTCRecogniser, folder: Path) -> tuple[int, Transcribe]:
    """The bytes of sherpa-onnx, and how it transcribes."""
    import sherpa_onnx

    facts = export(recogniser, "sherpa", folder / "sherpa")
    theirs = sherpa_onnx.OfflineRecognizer.from_nemo_ctc(
        model=str(folder / "sherpa" / str(facts["graph"])),
        tokens=str(folder / "sherpa" / str(facts["tokens"])),
        num_threads=torch.get_num_threads(),
    )

    def transcribe(samples: np.ndarray) -> str:
        stream = theirs.create_stream()
        stream.accept_waveform(facts["sample_rate"], samples)
        theirs.decode_stream(stream)
        return str(stream.result.text).strip()

    return facts["bytes"], transcribe


def with_language_model(checkpoint: Path, transcripts: pl.DataFrame, folder: Path) -> Transcribe:
    """PyTorch with a beam and a 3-gram of the training transcripts."""
    arpa = folder / "3.arpa"
    make_language_model(transcripts, arpa, order=3)
    decoder = {
        "_target_": "kaskad.decoding.BeamDecoder",
        "_partial_": True,
        "language_model": str(arpa),
    }
    recogniser, _ = load_recogniser(checkpoint, decoder=OmegaConf.create(decoder))
    return lambda samples: recogniser.decode_waveforms([samples])[0].text


def measure(
    ways: dict[str, tuple[int, Transcribe]],
    utterances: Sequence[np.ndarray],
    texts: list[str],
    rate: int,
    language: str,
) -> dict[str, dict[str, Any]]:
    """Bytes, WER, and audio seconds a second of each way; those of its fastest turn."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    texts_found: dict[str, list[str]] = {}
    for _ in range(ROUNDS):
        for name, (_, transcribe) in ways.items():
            transcribe(utterances[0])
            began = time.perf_counter()
            texts_found[name] = [transcribe(samples) for samples in utterances]
            taken[name].append(time.perf_counter() - began)
    seconds = sum(map(len, utterances)) / rate
    return {
        name: {
            "bytes": size,
            "wer": score(texts, texts_found[name], language).figures()["wer"],
            "audio_seconds_per_second": seconds / min(taken[name]),
            "real_time_factor": min(taken[name]) / seconds,
        }
        for name, (size, _) in ways.items()
    }


def show(figures: dict[str, dict[str, Any]]) -> None:
    first = next(iter(figures.values()))["audio_seconds_per_second"]
    table = Table("way", "MB", "WER", "audio s/s", "real-time factor", "times PyTorch")
    for name, row in figures.items():
        speed = row["audio_seconds_per_second"]
        size = f"{row['bytes'] / 1e6:.1f}" if row["bytes"] else ""
        table.add_row(
            name,
            size,
            f"{100 * row['wer']:.2f} %",
            f"{speed:.0f}",
            f"{row['real_time_factor']:.4f}",
            f"{speed / first:.2f}",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="of such a corpus")
    parser.add_argument("--sherpa", type=Path, help="a checkpoint of features=kaldi")
    parser.add_argument("--corpus", choices=[*CORPORA], default="numbers")
    parser.add_argument("--data", type=Path, help="where the corpus lies")
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    read, place, spoken_in = CORPORA[arguments.corpus]
    test = read(arguments.data or place, "test").head(arguments.utterances)
    train = read(arguments.data or place, "train").with_columns(
        role=pl.lit("train"), language=pl.lit(spoken_in)
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recogniser = ctc_of(arguments.checkpoint)
        ways = forms_of("", recogniser, folder)
        language = with_language_model(arguments.checkpoint, train, folder)
        ways["PyTorch, beam, 3-gram"] = (0, language)
        if arguments.sherpa:
            other = ctc_of(arguments.sherpa)
            ways |= forms_of("kaldi ", other, folder / "kaldi")
            ways["kaldi sherpa-onnx"] = sherpa(other, folder)
        rate = recogniser.features.sample_rate
        spoken = [read_audio(Path(path), rate) for path in test["path"]]
        figures = measure(ways, spoken, test["text"].to_list(), rate, spoken_in)
    show(figures)
    if arguments.output:
        kept = {"figures": figures, "environment": environment(None)}
        arguments.output.write_text(json.dumps(kept, indent=4), encoding="utf-8")


def ctc_of(checkpoint: Path) -> CTCRecogniser:
    """The recogniser of a checkpoint, which must be one with CTC."""
    recogniser, _ = load_recogniser(checkpoint)
    assert isinstance(recogniser, CTCRecogniser)
    return recogniser.eval()


if __name__ == "__main__":
    main()
