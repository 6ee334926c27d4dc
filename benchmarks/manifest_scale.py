"""A manifest of a million utterances: time and memory to open it, check and plan an epoch of it.

    python benchmarks/manifest_scale.py [--rows 1000000] [--output manifest_scale.json]

Beside Kaskad stands the plainest alternative: csv.DictReader and a sorted list of dictionaries.
Each way runs in a process of its own. Linux or macOS.
"""

import argparse
import csv
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
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

from kaskad.corpora.manifest import read_manifest, write_manifest
from kaskad.data.checks import check_alignable
from kaskad.data.samplers import LengthBuckets
from kaskad.reports.environment import environment
from kaskad.text.characters import CharacterTokenizer
from kaskad.text.numerals import number_to_words

# As in conf/loader/length_buckets.yaml; the blur is that of LengthBuckets.
BATCH_SECONDS, MAX_UTTERANCES, BLUR = 40.0, 32, 0.1
SPEAKERS = 2_000
LETTERS_A_SECOND = 14
LETTERS = " абвгдежзийклмнопрстуфхцчшщъыьэюяё"
# Of cnn2d_lstm: a frame of the encoder for three of features, which come every 10 ms.
SAMPLE_RATE, FRAMES_A_SECOND = 16_000, 33


@dataclass
class Cost:
    """Seconds that each step took; MiB at the peak up to its end, beyond what the imports take."""

    open_seconds: float
    open_peak: float
    check_seconds: float
    check_peak: float
    plan_seconds: float
    plan_peak: float
    alignable: int
    batches: int


def cost_of(
    read: Callable[[], Any], check: Callable[[Any], Any], plan: Callable[[Any], list[Any]]
) -> Cost:
    """Open a manifest by ``read``, keep of it what ``check`` leaves, and ``plan`` its batches."""
    began = time.perf_counter()
    manifest = read()
    opened, open_peak = time.perf_counter(), peak_memory()
    alignable = check(manifest)
    checked, check_peak = time.perf_counter(), peak_memory()
    batches = plan(alignable)
    planned, plan_peak = time.perf_counter(), peak_memory()
    return Cost(
        opened - began,
        open_peak - PEAK_OF_IMPORTS,
        checked - opened,
        check_peak - PEAK_OF_IMPORTS,
        planned - checked,
        plan_peak - PEAK_OF_IMPORTS,
        len(alignable),
        len(batches),
    )


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


PEAK_OF_IMPORTS = peak_memory()


def write(folder: Path, rows: int) -> None:
    """Write ``rows`` utterances as manifest.parquet and manifest.csv: 1 to 30 s, half below 5.

    No two transcripts need be the same, and each is as long as its recording would have it.
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


def check(manifest: pl.DataFrame) -> pl.DataFrame:
    """The rows that CTC can align."""
    alignable, _ = check_alignable(manifest, CharacterTokenizer(LETTERS), frames_of, SAMPLE_RATE)
    return alignable


def frames_of(samples: np.ndarray) -> np.ndarray:
    """The frames of the encoder for a number of samples."""
    return samples * FRAMES_A_SECOND // SAMPLE_RATE


def plan(manifest: pl.DataFrame) -> list[np.ndarray]:
    """The rows of each batch of a shuffled epoch."""
    return LengthBuckets(manifest, BATCH_SECONDS, MAX_UTTERANCES).plan(0)


def read_dictionaries(path: Path) -> list[dict[str, Any]]:
    """A dictionary for each row, with its path made absolute and its duration a number."""
    with open(path, newline="", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        row["path"] = f"{path.parent}/{row['path']}"
        row["duration"] = float(row["duration"])
    return rows


def check_dictionaries(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows, each transcript taken letter by letter."""
    alignable = []
    for row in rows:
        labels = [letter for letter in row["text"] if letter in LETTERS]
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
    for title, figure, digits in (
        ("opened, s", "open_seconds", 2),
        ("peak, MiB", "open_peak", 0),
        ("checked, s", "check_seconds", 2),
        ("peak, MiB", "check_peak", 0),
        ("planned, s", "plan_seconds", 2),
        ("peak, MiB", "plan_peak", 0),
    ):
        values = [getattr(cost, figure) for cost in costs.values()]
        table.add_row(title, *(f"{v:,.{digits}f} ({values[-1] / v:.1f}×)" for v in values))
    table.add_row("alignable", *(f"{cost.alignable:,}" for cost in costs.values()))
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
            "Parquet": in_its_own_process(cost_of, partial(read_manifest, parquet), check, plan),
            "CSV": in_its_own_process(cost_of, partial(read_manifest, table), check, plan),
            "csv.DictReader": in_its_own_process(
                cost_of,
                partial(read_dictionaries, table),
                check_dictionaries,
                plan_dictionaries,
            ),
        }
    show(costs, arguments.rows)
    if arguments.output:
        figures = {way: asdict(cost) for way, cost in costs.items()}
        content = {"environment": environment(None), "rows": arguments.rows, "costs": figures}
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
