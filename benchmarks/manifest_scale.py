"""A manifest of a million utterances: time and memory to open it and to plan an epoch of batches.

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
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from kaskad.corpora.manifest import read_manifest, write_manifest
from kaskad.data.samplers import LengthBuckets
from kaskad.reports.environment import environment

# As in conf/loader/length_buckets.yaml; the blur is that of LengthBuckets.
BATCH_SECONDS, MAX_UTTERANCES, BLUR = 60.0, 32, 0.1
SPEAKERS = 2_000
LETTERS_A_SECOND = 14
WORDS = "один два три четыре пять шесть семь восемь девять сорок сто тысяча и ещё раз".split()


@dataclass
class Cost:
    """Seconds that a step took; MiB at the peak so far, beyond what the imports take."""

    seconds: float
    peak: float


@dataclass
class Costs:
    """What one way of opening a manifest and planning an epoch cost, and its plan's size."""

    opening: Cost
    planning: Cost
    batches: int


def write(folder: Path, rows: int) -> None:
    """Write ``rows`` utterances as manifest.parquet and manifest.csv: 1 to 30 s, 5 in the middle.

    Every transcript is another one, as long as its recording would have it.
    """
    generator = np.random.default_rng(0)
    durations = np.clip(generator.lognormal(np.log(5), 0.6, rows), 1, 30).round(3)
    speakers = [f"speaker-{number:04d}" for number in generator.integers(SPEAKERS, size=rows)]
    babble = " ".join(generator.choice(WORDS, 100_000))
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


def open_and_plan(path: Path) -> Costs:
    """What Kaskad does."""
    opening, manifest = cost_of(lambda: read_manifest(path))
    planning, batches = cost_of(lambda: plan(manifest))
    return Costs(opening, planning, len(batches))


def plan(manifest: pl.DataFrame) -> list[np.ndarray]:
    """The rows of each batch of a shuffled epoch."""
    durations = manifest["duration"].to_numpy()
    return LengthBuckets(durations, BATCH_SECONDS, MAX_UTTERANCES, shuffle=True).plan()


def open_and_plan_with_dictionaries(path: Path) -> Costs:
    """What takes the fewest lines without Kaskad; it refuses nothing."""
    opening, rows = cost_of(lambda: read_dictionaries(path))
    planning, batches = cost_of(lambda: plan_dictionaries(rows))
    return Costs(opening, planning, len(batches))


def read_dictionaries(path: Path) -> list[dict[str, Any]]:
    """A dictionary for each row, with its path made absolute and its duration a number."""
    with open(path, newline="", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        row["path"] = f"{path.parent}/{row['path']}"
        row["duration"] = float(row["duration"])
    return rows


def plan_dictionaries(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Batches by the rule of ``LengthBuckets``, cut in one walk along the sorted list."""
    draw = random.Random(0)
    batches: list[list[dict[str, Any]]] = [[]]
    longest = 0.0
    for row in sorted(rows, key=lambda row: row["duration"] * draw.uniform(1 - BLUR, 1 + BLUR)):
        longest = max(longest, row["duration"])
        size = len(batches[-1]) + 1
        if size > 1 and (size > MAX_UTTERANCES or size * longest > BATCH_SECONDS):
            batches.append([])
            longest = row["duration"]
        batches[-1].append(row)
    draw.shuffle(batches)
    return batches


def cost_of(step: Callable[[], Any]) -> tuple[Cost, Any]:
    """Take a step; returns its cost, and what it returns."""
    began = time.perf_counter()
    result = step()
    seconds = time.perf_counter() - began
    return Cost(seconds, peak_memory() - MEMORY_OF_IMPORTS), result


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


MEMORY_OF_IMPORTS = peak_memory()


def in_its_own_process(call: Callable[[], Any]) -> Any:
    """A fresh interpreter: neither the memory nor the caches of another call are in it."""
    # A process starts with the peak of the one that starts it: this one does nothing but start.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call).result()


def show(costs: dict[str, Costs], rows: int, baseline: Costs) -> None:
    """Print a line for each way, each figure with how many times less it is than the baseline."""
    table = Table("", title=f"{rows:,} utterances")
    for title in ("opened, s", "peak, MiB", "planned, s", "peak, MiB", "batches"):
        table.add_column(title, justify="right")
    for way, cost in costs.items():
        pairs = [
            (getattr(getattr(cost, step), figure), getattr(getattr(baseline, step), figure))
            for step in ("opening", "planning")
            for figure in ("seconds", "peak")
        ]
        cells = [f"{mine:,.4g} ({theirs / mine:.1f}×)" for mine, theirs in pairs]
        table.add_row(way, *cells, f"{cost.batches:,}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        in_its_own_process(partial(write, folder, arguments.rows))
        ways = {
            "Kaskad, Parquet": partial(open_and_plan, folder / "manifest.parquet"),
            "Kaskad, CSV": partial(open_and_plan, folder / "manifest.csv"),
            "dictionaries, CSV": partial(open_and_plan_with_dictionaries, folder / "manifest.csv"),
        }
        costs: dict[str, Costs] = {way: in_its_own_process(call) for way, call in ways.items()}
    show(costs, arguments.rows, costs["dictionaries, CSV"])
    if arguments.output:
        figures = {way: asdict(cost) for way, cost in costs.items()}
        content = {"environment": environment(seed=0), "rows": arguments.rows, "costs": figures}
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
