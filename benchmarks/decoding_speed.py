"""Seconds to decode an hour of posteriors: bare pyctcdecode, Kaskad's beam, in several processes.

    python benchmarks/decoding_speed.py [--utterances 300] [--workers 2] [--output decoding.json]

All have the same posteriors of Russian numbers, made up, and the same 3-gram model of their words.
The lexicon decoder stands beside them. Each goes in turn, there and back, `--rounds` times.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import torch
from pyctcdecode import build_ctcdecoder
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kaskad.decoding.beam import BeamDecoder
from kaskad.decoding.lexicon import LexiconDecoder
from kaskad.metrics.error_rates import score
from kaskad.ngrams.language_model import make_language_model
from kaskad.runs.environment import environment
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.numerals import number_to_words
from kaskad.text.tokenizer import Tokenizer

SECONDS_PER_FRAME = 0.03
BEAMS: dict[str, Any] = {"beam_width": 100, "token_min_logp": -8.0, "beam_prune_logp": -10.0}
WEIGHTS: dict[str, Any] = {"alpha": 0.5, "beta": 1.5, "unk_score_offset": -10.0}
CERTAINTY = 5.0  # of the logits; with the noise, about every tenth frame is misheard
NOISE = 1.5


@dataclass
class Spoken:
    """Posteriors of some utterances, (frames, labels) each, and their references."""

    tokenizer: Tokenizer
    log_probs: list[Tensor]
    references: list[str]

    @property
    def hours(self) -> float:
        return sum(map(len, self.log_probs)) * SECONDS_PER_FRAME / 3600


Way = Callable[[], list[str]]


def draw_numbers(count: int, generator: np.random.Generator) -> list[str]:
    """Numbers in words, short and long."""
    exponents = generator.uniform(0, 9, count)
    return [number_to_words(int(10**exponent), "ru") for exponent in exponents]


def speak(texts: Sequence[str], tokenizer: Tokenizer, generator: np.random.Generator) -> Spoken:
    """Posteriors in which each label lasts a frame or two, and blanks stand between."""
    log_probs = []
    for text in texts:
        labels = np.array([label for one in tokenizer.encode(text) for label in (one, 0)])
        path = np.repeat(labels, generator.integers(1, 3, len(labels)))
        logits = generator.normal(scale=NOISE, size=(len(path), tokenizer.size))
        logits[range(len(path)), path] += CERTAINTY
        log_probs.append(torch.from_numpy(logits).float().log_softmax(dim=1))
    return Spoken(tokenizer, log_probs, list(texts))


def make_ways(spoken: Spoken, arpa: Path, workers: int) -> dict[str, Way]:
    """What is measured; everything is loaded here, before the clock starts."""
    labels = spoken.tokenizer.labels
    bare = build_ctcdecoder(labels, str(arpa), **WEIGHTS)
    matrices = [matrix.numpy() for matrix in spoken.log_probs]
    batch = pad_sequence(spoken.log_probs, batch_first=True)
    lengths = torch.tensor([len(matrix) for matrix in spoken.log_probs])

    def kaskad(make: Callable[..., Any], **options: Any) -> Way:
        decoder = make(spoken.tokenizer, SECONDS_PER_FRAME, language_model=arpa, **options)
        decoder(batch[:workers], lengths[:workers])  # its processes begin
        return lambda: [found.text for found in decoder(batch, lengths)]

    return {
        "pyctcdecode": lambda: [bare.decode(matrix, **BEAMS) for matrix in matrices],
        "Kaskad, beam": kaskad(BeamDecoder, **BEAMS, **WEIGHTS),
        f"beam, {workers} processes": kaskad(BeamDecoder, workers=workers, **BEAMS, **WEIGHTS),
        "Kaskad, beam_lexicon": kaskad(LexiconDecoder, alpha=0.5),
    }


def measure(ways: dict[str, Way], rounds: int, references: list[str]) -> dict[str, dict[str, Any]]:
    """Seconds of each way in each round, and the WER of its hypotheses."""
    figures: dict[str, dict[str, Any]] = {name: {"seconds": []} for name in ways}
    for turn in track(range(rounds), "Decoding", console=Console(stderr=True)):
        for name in [*ways] if turn % 2 else reversed(ways):
            began = time.perf_counter()
            texts = ways[name]()
            figures[name]["seconds"].append(time.perf_counter() - began)
            figures[name]["wer"] = score(references, texts, "ru").figures()["wer"]
    return figures


def compare(figures: dict[str, dict[str, Any]], hours: float) -> None:
    """Add seconds an hour, and how many times the first way takes of each, round by round."""
    first = next(iter(figures.values()))["seconds"]
    for way in figures.values():
        way["seconds_per_hour"] = median(way["seconds"]) / hours
        ratios = (mine / theirs for mine, theirs in zip(way["seconds"], first, strict=True))
        way["times_pyctcdecode"] = median(ratios)


def show(figures: dict[str, dict[str, Any]], spoken: Spoken) -> None:
    caption = f"{len(spoken.references)} utterances, {60 * spoken.hours:.1f} minutes"
    table = Table("", "seconds an hour", "of pyctcdecode's time", "WER", caption=caption)
    for name, way in figures.items():
        table.add_row(
            name,
            f"{way['seconds_per_hour']:.1f}",
            f"{way['times_pyctcdecode']:.3f}×",
            f"{100 * way['wer']:.2f} %",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("pyctcdecode").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    known, references = (
        draw_numbers(5_000, generator),
        draw_numbers(arguments.utterances, generator),
    )
    spoken = speak(references, CharacterTokenizer().fit(known), generator)
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder) / "numbers.arpa"
        transcripts = pl.DataFrame({"text": known, "language": "ru", "role": "train"})
        make_language_model(transcripts, arpa, order=3)
        ways = make_ways(spoken, arpa, arguments.workers)
        figures = measure(ways, arguments.rounds, spoken.references)
    compare(figures, spoken.hours)
    show(figures, spoken)
    if arguments.output:
        content = {
            "environment": environment(0),
            "utterances": arguments.utterances,
            "workers": arguments.workers,
            "ways": figures,
        }
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
