"""How far the times of words are from those at which they are spoken, in milliseconds.

    python benchmarks/alignment_error.py checkpoint [--utterances 200] [--output alignment.json]

Russian numbers, each word synthesised alone, freed of the silence around it, and set close to the
next: so the times are known. They are held against those of forced alignment (``Aligner``) and of
the hypotheses of the recogniser, where all words are right.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
import torch
from rich.console import Console
from rich.table import Table

from kaskad import espeak
from kaskad.decoding.alignment import Aligner
from kaskad.decoding.hypothesis import Word
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.environment import environment
from kaskad.text.numerals import number_to_words

QUIET = 0.01  # of the loudest sample: what is quieter at the ends of a word is no part of it
AROUND = 0.3  # seconds of quiet before and after a number
VOICES = ("ru", "ru+f2", "ru+m3", "ru+f4")


class Spoken(NamedTuple):
    """A waveform (samples,), and the start and end of each word in seconds."""

    waveform: np.ndarray
    text: str
    times: list[tuple[float, float]]


def speak(number: int, voice: str, sample_rate: int, generator: np.random.Generator) -> Spoken:
    """Say a number word by word."""
    text = number_to_words(number, "ru")
    quiet = generator.normal(scale=1e-4, size=round(AROUND * sample_rate))
    parts, times, at = [quiet], [], len(quiet)
    for word in text.split():
        samples = espeak.synthesise(word, voice=voice).astype(np.float32) / 32768
        loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max())
        cut = soxr.resample(samples[loud[0] : loud[-1] + 1], espeak.SAMPLE_RATE, sample_rate)
        parts.append(cut)
        times.append((at / sample_rate, (at + len(cut)) / sample_rate))
        at += len(cut)
    return Spoken(np.concatenate([*parts, quiet]).astype(np.float32), text, times)


def errors(
    words: Sequence[Word], times: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """By how many milliseconds each word begins, and ends, too late."""
    return [
        (1000 * ((word.start or 0.0) - start), 1000 * ((word.end or 0.0) - end))
        for word, (start, end) in zip(words, times, strict=True)
    ]


def measure(recogniser: CTCRecogniser, utterances: int) -> dict[str, dict[str, float]]:
    """The errors of words that are aligned, and of words that are recognised."""
    generator = np.random.default_rng(0)
    rate = recogniser.features.sample_rate
    aligner = Aligner(recogniser.tokenizer, recogniser.seconds_per_frame)
    aligned: list[tuple[float, float]] = []
    recognised: list[tuple[float, float]] = []
    for index in range(utterances):
        number = int(generator.integers(1, 1_000_000))
        spoken = speak(number, VOICES[index % len(VOICES)], rate, generator)
        [log_probs] = recogniser.posteriors_of([spoken.waveform])
        aligned += errors(aligner(log_probs, spoken.text, "ru").words, spoken.times)
        [found] = recogniser.decoder(log_probs[None], torch.tensor([len(log_probs)]))
        if found.text == spoken.text:
            recognised += errors(found.words, spoken.times)
    return {"aligned": summary(aligned), "recognised": summary(recognised)}


def summary(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Median and mean distances of starts and ends, and the share within 50 ms."""
    if not pairs:
        return {"words": 0}
    starts, ends = np.array(pairs).T
    return {
        "words": len(pairs),
        "start_median_ms": round(float(np.median(starts)), 1),
        "start_mean_distance_ms": round(float(np.abs(starts).mean()), 1),
        "starts_within_50_ms": round(float((np.abs(starts) <= 50).mean()), 4),
        "end_median_ms": round(float(np.median(ends)), 1),
        "end_mean_distance_ms": round(float(np.abs(ends).mean()), 1),
        "ends_within_50_ms": round(float((np.abs(ends) <= 50).mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recogniser, _ = load_recogniser(arguments.checkpoint)
    if not isinstance(recogniser, CTCRecogniser):
        parser.error("only a recogniser with CTC can align")
    measured = measure(recogniser, arguments.utterances)
    table = Table("figure", *measured)
    for name in measured["aligned"]:
        table.add_row(name, *(str(column.get(name, "–")) for column in measured.values()))
    Console().print(table)
    if arguments.output:
        result = {"measured": measured, "environment": environment(seed=0)}
        arguments.output.write_text(json.dumps(result, indent=1, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
