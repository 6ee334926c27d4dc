"""Latency and real-time factor of a stream for each size of its chunks, and what it takes back.

    python benchmarks/streaming.py --checkpoint runs/cnn2d_lstm_streaming_numbers [--minutes 2]

Spoken numbers with pauses between them are pushed as fast as they are decoded. Beside the streams
stands the same audio decoded whole, number by number, in batches.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from rich.console import Console
from rich.table import Table

from kaskad import espeak
from kaskad.metrics.error_rates import score
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.environment import environment
from kaskad.text.numerals import number_to_words

CHUNKS = (160, 800, 1_600, 4_096, 16_000)
PAUSE = 1.2  # seconds between numbers
ENDPOINT = 0.8
VOICES = ("ru", "ru+f2", "ru+m3")


def speak(seconds: float, rate: int) -> tuple[list[np.ndarray], list[str]]:
    """Numbers in words, each with its pause, and what they say."""
    generator = np.random.default_rng(0)
    spoken: list[np.ndarray] = []
    texts: list[str] = []
    sum_of = 0.0
    while sum_of < seconds:
        text = number_to_words(int(10 ** generator.uniform(0, 6)), "ru")
        samples = espeak.synthesise(text, voice=VOICES[len(texts) % len(VOICES)]) / 2**15
        samples = soxr.resample(samples, espeak.SAMPLE_RATE, rate)
        pause = generator.normal(scale=1e-4, size=round(PAUSE * rate))
        spoken.append(np.concatenate([samples, pause]).astype(np.float32))
        texts.append(text)
        sum_of += len(spoken[-1]) / rate
    return spoken, texts


def streamed(recogniser: CTCRecogniser, audio: np.ndarray, chunk: int) -> dict[str, Any]:
    """How long each push of a chunk took, the text, and how often words were taken back."""
    stream = recogniser.stream(endpoint=ENDPOINT)
    texts: list[str] = []
    times: list[float] = []
    shown: list[str] = []
    stable = retracted = stable_retracted = changed = 0
    for start in range(0, len(audio), chunk):
        began = time.perf_counter()
        stream.push(audio[start : start + chunk])
        times.append(time.perf_counter() - began)
        ended = [word.text for each in stream.take_ended() for word in each.words]
        hypothesis = stream.hypothesis
        now = ended + [word.text for word in hypothesis.words]
        stable_retracted += now[:stable] != shown[:stable]
        changed += now != shown
        retracted += now[: len(shown)] != shown
        texts += ended
        shown = now[len(ended) :]
        stable = hypothesis.stable
    texts += [word.text for word in stream.finish().words]
    seconds = len(audio) / recogniser.features.sample_rate
    return {
        "milliseconds": 1_000 * float(np.median(times)),
        "milliseconds_99": 1_000 * float(np.quantile(times, 0.99)),
        "real_time_factor": sum(times) / seconds,
        "changed": changed,
        "last_word_rewritten": retracted,
        "stable_retracted": stable_retracted,
        "text": " ".join(texts),
    }


def whole(recogniser: CTCRecogniser, spoken: list[np.ndarray]) -> dict[str, Any]:
    """The same audio decoded number by number, 16 in a batch."""
    began = time.perf_counter()
    batches = [spoken[start : start + 16] for start in range(0, len(spoken), 16)]
    texts = [each.text for batch in batches for each in recogniser.decode_waveforms(batch)]
    taken = time.perf_counter() - began
    seconds = sum(map(len, spoken)) / recogniser.features.sample_rate
    return {"real_time_factor": taken / seconds, "text": " ".join(texts)}


def memory_of_an_hour(recogniser: CTCRecogniser, audio: np.ndarray) -> dict[str, float]:
    """The most memory, in MB, after ten minutes and after an hour of one stream."""
    stream = recogniser.stream(endpoint=ENDPOINT)
    peaks, pushed, rate = {}, 0, recogniser.features.sample_rate
    for minutes in (10, 60):
        while pushed < 60 * minutes * rate:
            for part in np.split(audio, range(rate, len(audio), rate)):
                stream.push(part)
                stream.take_ended()
                pushed += len(part)
        peaks[f"after {minutes} minutes"] = (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        )
    return peaks


def show(figures: dict[str, Any], seconds: float) -> None:
    caption = f"{seconds:.0f} s of audio, {torch.get_num_threads()} threads"
    table = Table("chunk", "ms, median", "ms, 99 %", "real-time factor", "WER", caption=caption)
    table.add_column("stable words taken back")
    for name, row in figures.items():
        times = [
            f"{row[key]:.1f}" if key in row else "" for key in ("milliseconds", "milliseconds_99")
        ]
        factor, errors = f"{row['real_time_factor']:.4f}", f"{100 * row['wer']:.2f} %"
        table.add_row(name, *times, factor, errors, str(row.get("stable_retracted", "")))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--hour", action="store_true", help="the memory of an hour of audio, too")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recogniser, _ = load_recogniser(arguments.checkpoint)
    assert isinstance(recogniser, CTCRecogniser)
    rate = recogniser.features.sample_rate
    spoken, texts = speak(60 * arguments.minutes, rate)
    audio = np.concatenate(spoken)
    streamed(recogniser, audio[: 5 * rate], 1_600)  # the first calls are slower
    figures = {f"{chunk} samples": streamed(recogniser, audio, chunk) for chunk in CHUNKS}
    figures["whole numbers"] = whole(recogniser, spoken)
    for row in figures.values():
        row["wer"] = score([" ".join(texts)], [row.pop("text")], "ru").figures()["wer"]
    show(figures, len(audio) / rate)
    if arguments.hour:
        figures["memory"] = memory_of_an_hour(recogniser, audio)
        Console().print(figures["memory"])
    if arguments.output:
        kept = {"figures": figures, "environment": environment(None)}
        arguments.output.write_text(json.dumps(kept, indent=4), encoding="utf-8")


if __name__ == "__main__":
    main()
