"""A million utterances before the first batch: time and memory of each step from their manifest on.

    python benchmarks/manifest_scale.py [--rows 1000000] [--output manifest_scale.json]

Beside Kaskad stands the plainest alternative: csv.DictReader and a sorted list of dictionaries.
Each way runs in a process of its own. No audio is there: each file is asked for in vain, and its
header is the one that is kept from before. Linux or macOS.
"""

import argparse
import csv
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from kaskad.audio.cache import file_for, file_stats
from kaskad.audio.headers import HEADER
from kaskad.corpora.manifest import read_manifest, write_manifest
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.samplers.length import LengthBuckets
from kaskad.runs.environment import environment
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.numerals import number_to_words

# As in conf/loader/length_buckets.yaml; the blur is that of LengthBuckets.
BATCH_SECONDS, MAX_UTTERANCES, BLUR = 40.0, 32, 0.1
SPEAKERS = 2_000
LETTERS_A_SECOND = 14
# Of cnn2d_lstm: a frame of the encoder for three of features, which come every 10 ms.
SAMPLE_RATE, FRAMES_A_SECOND = 16_000, 33

# What a step makes of what the one before it made; the first gets nothing, the last makes batches.
Steps = dict[str, Callable[[Any], Any]]


@dataclass
class Cost:
    """Seconds that each step took, by the clock and of the processor; MiB at the peak up to its
    end, beyond what the imports take."""

    seconds: dict[str, float]
    processor_seconds: dict[str, float]
    peaks: dict[str, float]
    batches: int


def cost_of(steps_of: Callable[[Path], Steps], path: Path) -> Cost:
    """Take the steps from the manifest at ``path`` on, one after another."""
    cost = Cost({}, {}, {}, 0)
    made: Any = None
    for name, step in steps_of(path).items():
        began, processor = time.perf_counter(), time.process_time()
        made = step(made)
        cost.seconds[name] = time.perf_counter() - began
        cost.processor_seconds[name] = time.process_time() - processor
        cost.peaks[name] = peak_memory() - PEAK_OF_IMPORTS
    cost.batches = len(made)
    return cost


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


PEAK_OF_IMPORTS = peak_memory()


def write(folder: Path, rows: int) -> None:
    """Write ``rows`` utterances as manifest.parquet and manifest.csv: 1 to 30 s, half below 5.

    No two transcripts need be the same, and each is as long as its recording would have it. The
    folder ``measured`` has what reading their headers would keep.
    """
    generator = np.random.default_rng(0)
    durations = np.clip(generator.lognormal(np.log(5), 0.6, rows), 1, 30).round(3)
    speakers = [f"speaker-{number:04d}" for number in generator.integers(SPEAKERS, size=rows)]
    numbers = generator.integers(1_000_000, size=10_000).tolist()
    babble = " ".join(number_to_words(number, "ru") for number in numbers)
    starts = generator.integers(len(babble) - 30 * LETTERS_A_SECOND, size=rows)
    ends = starts + (durations * LETTERS_A_SECOND).astype(np.int64)
    table = pl.DataFrame(
        {
            "path": [f"audio/{who}/{row:07d}.flac" for row, who in enumerate(speakers)],
            "text": [babble[start:end].strip() for start, end in zip(starts, ends, strict=True)],
            "duration": durations,
            "speaker": speakers,
        }
    )
    for suffix in (".parquet", ".csv"):
        write_manifest(table, folder / f"manifest{suffix}")
    paths = read_manifest(folder / "manifest.parquet")["path"]
    known = {"sample_rate": SAMPLE_RATE, "channels": 1, "problem": None}
    headers = table.select("duration", **{name: pl.lit(value) for name, value in known.items()})
    kept = file_for(paths, folder / "measured")
    kept.parent.mkdir()
    file_stats(paths).hstack(headers.cast(pl.Schema(HEADER))).write_parquet(kept)


def steps_of_kaskad(path: Path) -> Steps:
    """What a run does, by the same parts of Kaskad."""
    return {
        "opened": lambda _: read_manifest(path),
        "loaded": partial(load, path.parent / "measured"),
        "fitted": fit,
        "connected": connect,
        "planned": plan,
    }


def load(measured: Path, manifest: pl.DataFrame) -> SpeechDataModule:
    """Normalise transcripts, look for each file, and take its header from where it is kept."""
    opened = [manifest]
    corpus = Corpus("train", "ru", lambda split: opened.pop())  # which nobody keeps, as in a run
    data = SpeechDataModule({"train": corpus}, SAMPLE_RATE, cache=measured)
    data.load("train")
    return data


def fit(data: SpeechDataModule) -> tuple[SpeechDataModule, CharacterTokenizer]:
    """The alphabet of the transcripts, as training takes it."""
    tokenizer = CharacterTokenizer()
    return data, tokenizer.fit(data.spelt("train", tokenizer))


def connect(fitted: tuple[SpeechDataModule, CharacterTokenizer]) -> pl.DataFrame:
    """The rows that CTC can align."""
    data, tokenizer = fitted
    data.connect(tokenizer, frames_of)
    return data.manifests["train"]


def frames_of(samples: np.ndarray) -> np.ndarray:
    """The frames of the encoder for a number of samples."""
    return samples * FRAMES_A_SECOND // SAMPLE_RATE


def plan(manifest: pl.DataFrame) -> list[np.ndarray]:
    """The rows of each batch of a shuffled epoch."""
    return LengthBuckets(manifest, BATCH_SECONDS, MAX_UTTERANCES).plan(0)


def steps_of_dictionaries(path: Path) -> Steps:
    """The same, row by row; it normalises less, and believes the durations of the manifest."""
    return {
        "opened": lambda _: read_dictionaries(path),
        "loaded": load_dictionaries,
        "fitted": fit_dictionaries,
        "connected": connect_dictionaries,
        "planned": plan_dictionaries,
    }


def read_dictionaries(path: Path) -> list[dict[str, Any]]:
    """A dictionary for each row, with its path made absolute and its duration a number."""
    with open(path, newline="", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        row["path"] = f"{path.parent}/{row['path']}"
        row["duration"] = float(row["duration"])
    return rows


def load_dictionaries(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with single blanks and small letters, each file asked for."""
    for row in rows:
        with suppress(OSError):
            row["size"] = os.stat(row["path"]).st_size
        row["text"] = " ".join(row["text"].lower().split())
    return rows


def fit_dictionaries(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], set[str]]:
    """The rows, and their letters."""
    letters: set[str] = set()
    for row in rows:
        letters.update(row["text"])
    return rows, letters


def connect_dictionaries(
    fitted: tuple[list[dict[str, Any]], set[str]],
) -> list[dict[str, Any]]:
    """The rows that CTC can align, each transcript taken letter by letter."""
    rows, letters = fitted
    alignable = []
    for row in rows:
        labels = [letter for letter in row["text"] if letter in letters]
        needed = len(labels) + sum(a == b for a, b in pairwise(labels))
        if int(row["duration"] * FRAMES_A_SECOND) >= needed:
            alignable.append(row)
    return alignable


def plan_dictionaries(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Batches under the same bounds, cut in one walk along the sorted list."""
    draw = random.Random(0)
    batches: list[list[dict[str, Any]]] = [[]]
    longest = 0.0
    for row in sorted(rows, key=lambda row: row["duration"] * draw.uniform(1, 1 + BLUR)):
        longest = max(longest, row["duration"])
        size = len(batches[-1]) + 1
        if size > 1 and (size > MAX_UTTERANCES or size * longest > BATCH_SECONDS):
            batches.append([])
            longest = row["duration"]
        batches[-1].append(row)
    draw.shuffle(batches)
    return batches


def in_its_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` in a fresh interpreter, where no other call has left its memory."""
    # A process starts with the peak of the one that starts it: this one does nothing but start.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def show(costs: dict[str, Cost], rows: int) -> None:
    """Print a column for each way, each figure with how many times more the last way takes."""
    table = Table("", *costs, title=f"{rows:,} utterances")
    for step in next(iter(costs.values())).seconds:
        for title, figures, digits in (
            (f"{step}, s", "seconds", 2),
            ("of the processor, s", "processor_seconds", 2),
            ("peak, MiB", "peaks", 0),
        ):
            values = [getattr(cost, figures)[step] for cost in costs.values()]
            times = (f"{values[-1] / value:.1f}×" if value else "–" for value in values)
            cells = (f"{v:,.{digits}f} ({n})" for v, n in zip(values, times, strict=True))
            table.add_row(title, *cells)
    table.add_row("batches", *(f"{cost.batches:,}" for cost in costs.values()))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        in_its_own_process(write, folder, arguments.rows)
        parquet, table = folder / "manifest.parquet", folder / "manifest.csv"
        costs: dict[str, Cost] = {
            "Parquet": in_its_own_process(cost_of, steps_of_kaskad, parquet),
            "CSV": in_its_own_process(cost_of, steps_of_kaskad, table),
            "csv.DictReader": in_its_own_process(cost_of, steps_of_dictionaries, table),
        }
    show(costs, arguments.rows)
    if arguments.output:
        figures = {way: asdict(cost) for way, cost in costs.items()}
        content = {"environment": environment(None), "rows": arguments.rows, "costs": figures}
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
