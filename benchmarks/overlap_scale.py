"""The overlap check on a million training utterances: time and memory, once hashes are cached.

    python benchmarks/overlap_scale.py [--train 1000000] [--test 100000] [--output figures.json]

Fifty overlaps of each kind are planted among simulated fingerprints: all must be found, and nothing
else. Waveforms are not simulated: how alike two recordings are is given, 0.97 for planted copies,
0.6 for all other pairs that keys propose. So near-duplicates are a test of the keys alone, and to
compare the waveforms of up to 50,000 pairs, once, is not in the time. Beside Kaskad stands the
plainest alternative: dictionaries, for the kinds that need no keys. Each step runs in a process of
its own. No audio is there, so each file is asked for in vain. Linux or macOS.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from kaskad.audio.cache import file_stats
from kaskad.audio.fingerprints import (
    FINGERPRINT,
    KEPT_IN,
    KEY_BITS,
    MOST_KEYS,
    SIMILARITIES,
    SIMILARITY,
    cache_file,
    fingerprints,
)
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.near_duplicates import candidates
from kaskad.data.overlap import KINDS, OverlapCheck
from kaskad.runs.environment import environment

PLANTED = 50
SPEAKERS = 2_000
ROLES = ("train", "test")

# Some moments of speech are more usual than others: the chance of a moment falls with its rank r as
# 1 / (r + USUAL). So 0.3 % of all pairs of recordings have a key in common, as pairs of ru_ivr do;
# in one of seven of these, the contexts are nearly alike, too.
MOMENTS, USUAL = 2**23, 530
ALIKE, FLIPPED = 0.37, 4
# What codecs and trimming left of 4 real recordings in 5: at least so many keys, and all but so
# many bits of a context.
COPIED_KEYS, COPIED_FLIPPED = 5, 3


@dataclass
class Cost:
    """Seconds by the clock and of the processor; MiB at the peak, what the imports take included;
    how many utterances were found, by kind."""

    seconds: float
    processor_seconds: float
    peak: float
    found: dict[str, int]


def write(folder: Path, sizes: dict[str, int]) -> None:
    """Write ``<role>.parquet``, a manifest, and what the check would keep of its recordings.

    Rows 0 to 49 of the test have the recordings of the same rows of training, rows 50 to 99 are
    copies, rows 100 to 149 have their ids, and so on.
    """
    generator = np.random.default_rng(0)
    tables = {role: _simulate(generator, role, sizes[role]) for role in ROLES}
    train, test = tables["train"], tables["test"]
    part = {kind: slice(PLANTED * n, PLANTED * (n + 1)) for n, kind in enumerate(KINDS)}
    copied = _copies(generator, train[part["near_duplicate"]], test[part["near_duplicate"]])
    test = pl.concat([test[:PLANTED], copied, test[2 * PLANTED :]])
    for kind, column in [(kind, "text" if kind == "transcript" else kind) for kind in KINDS]:
        if kind != "near_duplicate":
            test = _with(test, column, train[column], part[kind])
    for role, table in (("train", train), ("test", test)):
        table.drop(FINGERPRINT).write_parquet(folder / f"{role}.parquet")
        kept = cache_file(table["path"], folder / "measured")
        kept.parent.mkdir(parents=True, exist_ok=True)
        file_stats(table["path"]).hstack(table.select(*FINGERPRINT)).write_parquet(kept)
    # Waveforms are not simulated: those of copies are alike, no others.
    copies = pl.DataFrame(
        {
            "recording": train[part["near_duplicate"]]["recording"],
            "near_duplicate": copied["recording"],
            "similarity": pl.repeat(0.97, PLANTED, dtype=SIMILARITY["similarity"], eager=True),
        }
    )
    pairs = candidates(train, test).join(copies, list(copies.columns[:2]), "left")
    pairs = pairs.with_columns(pl.col("similarity").fill_null(0.6))
    pairs.write_parquet(folder / "measured" / KEPT_IN / SIMILARITIES)


def _simulate(generator: np.random.Generator, role: str, rows: int) -> pl.DataFrame:
    """A manifest with fingerprints; nothing in it is in that of another role, but usual keys."""
    speakers = generator.integers(SPEAKERS, size=rows)
    share = generator.random((rows, MOST_KEYS))
    moments = (USUAL * ((MOMENTS + USUAL) / USUAL) ** share - USUAL).astype(np.uint64)
    contexts = generator.integers(2 ** (2 * KEY_BITS), size=moments.shape, dtype=np.uint64)
    usual = generator.random(moments.shape) < ALIKE
    contexts[usual] = _flipped(generator, _scatter(moments[usual], 2 * KEY_BITS), FLIPPED)
    bits = generator.permuted(np.tile(np.arange(KEY_BITS), (MOST_KEYS, 1)), axis=1)[:, :2]
    doubts = np.tile((1 << bits).sum(axis=1), (rows, 1))
    row = pl.int_range(rows)
    return (
        pl.select(
            id=pl.format(f"{role}-{{}}", row),
            path=pl.format(f"/corpora/{role}/audio/{{}}.flac", row),
            text=pl.format(f"what {{}} says in {role}", row),
        )
        .with_columns(
            pl.Series("speaker", speakers).cast(pl.String) + f" of {role}",
            pl.Series(
                "recording", generator.permutation(rows) * len(ROLES) + ROLES.index(role), pl.UInt64
            ),
            keys=_lists(_scatter(moments, KEY_BITS)),
            doubts=_lists(doubts),
            contexts=_lists(contexts),
        )
        .cast(pl.Schema(FINGERPRINT))
    )


def _copies(
    generator: np.random.Generator, originals: pl.DataFrame, others: pl.DataFrame
) -> pl.DataFrame:
    """The rows ``others``, with what a codec leaves of the fingerprints of ``originals``."""
    keys, doubts, contexts = (_array(originals[name]) for name in ("keys", "doubts", "contexts"))
    highest = 1 << np.log2(doubts).astype(np.uint32)
    keys ^= np.where(generator.random(keys.shape) < 0.5, highest, 0).astype(np.uint32)
    keys[:, COPIED_KEYS:] = _array(others["keys"])[:, COPIED_KEYS:]
    contexts = _flipped(generator, contexts, COPIED_FLIPPED)
    return others.with_columns(keys=_lists(keys), doubts=_lists(doubts), contexts=_lists(contexts))


def _flipped(generator: np.random.Generator, contexts: np.ndarray, bits: int) -> np.ndarray:
    """The contexts with about so many bits the other way."""
    for _ in range(bits):
        bit = generator.integers(2 * KEY_BITS, size=contexts.shape, dtype=np.uint64)
        contexts = contexts ^ (np.uint64(1) << bit)
    return contexts


def _scatter(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Other numbers of so many bits, one for each: multiplying by an odd number is one to one."""
    return numbers * np.uint64(0x9E3779B97F4A7C15) & np.uint64(2**bits - 1)


def _array(lists: pl.Series) -> np.ndarray:
    return lists.list.to_array(MOST_KEYS).to_numpy().copy()


def _lists(array: np.ndarray) -> pl.Series:
    return pl.Series(array).arr.to_list()


def _with(table: pl.DataFrame, column: str, source: pl.Series, part: slice) -> pl.DataFrame:
    """Put that part of ``source`` in the place of the same part of a column."""
    pieces = [table[column][: part.start], source[part], table[column][part.stop :]]
    return table.with_columns(pl.concat(pieces).alias(column))


def read_fingerprints(folder: Path) -> Cost:
    """What was measured of each recording, from the cache."""
    tables = _manifests(folder)

    def read() -> list[dict[str, Any]]:
        _with_fingerprints(folder, tables)
        return []

    return cost_of(read)


def propose_copies(folder: Path) -> Cost:
    """Pairs of recordings whose waveforms would be compared."""
    train, test = _with_fingerprints(folder, _manifests(folder)).values()
    return cost_of(lambda: [{"kind": "pairs", "utterances": candidates(train, test).height}])


def check_overlap(folder: Path) -> Cost:
    """What ``train.py`` does once its manifests are read."""
    corpora = {
        "train": Corpus("train", "ru", pl.DataFrame),
        "test": Corpus("test", "ru", pl.DataFrame),
    }
    data = SpeechDataModule(corpora, 16_000, cache=folder / "measured")
    data.manifests = _manifests(folder)
    check = OverlapCheck(recording="report", near_duplicate="report", workers=1)
    return cost_of(lambda: check(data, folder)["found"])


def look_up_in_dictionaries(folder: Path) -> Cost:
    """The first training utterance of each recording, id, speaker and transcript, as it is kept."""
    columns = {"recording": "recording", "id": "id", "speaker": "speaker", "transcript": "text"}
    tables = _with_fingerprints(folder, _manifests(folder))

    def find() -> list[dict[str, Any]]:
        train, test = (table.select(*columns.values()).to_dicts() for table in tables.values())
        found = []
        for kind, column in columns.items():
            first: dict[Any, dict[str, Any]] = {}
            for row in train:
                first.setdefault(row[column], row)
            hits = sum(row[column] in first for row in test)
            found.append({"kind": kind, "utterances": hits})
        return found

    return cost_of(find)


def _manifests(folder: Path) -> dict[str, pl.DataFrame]:
    return {role: pl.read_parquet(folder / f"{role}.parquet") for role in ROLES}


def _with_fingerprints(folder: Path, tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {
        role: table.hstack(fingerprints(table["path"], folder / "measured", workers=1))
        for role, table in tables.items()
    }


def cost_of(find: Callable[[], list[dict[str, Any]]]) -> Cost:
    """Time ``find``, which says how many utterances of each kind it found."""
    began, processor = time.perf_counter(), time.process_time()
    found = {each["kind"]: each["utterances"] for each in find()}
    seconds, worked = time.perf_counter() - began, time.process_time() - processor
    return Cost(seconds, worked, peak_memory(), found)


def peak_memory() -> float:
    """The most memory that this process has had resident so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def in_its_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` in a fresh interpreter, where no other call has left its memory."""
    # A process starts with the peak of the one that starts it: this one does nothing but start.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def show(costs: dict[str, Cost], sizes: dict[str, int]) -> None:
    """Print a column for each step."""
    table = Table("", *costs, title=f"{sizes['train']:,} against {sizes['test']:,} utterances")
    table.add_row("seconds", *(f"{cost.seconds:.1f}" for cost in costs.values()))
    processor = (f"{cost.processor_seconds:.1f}" for cost in costs.values())
    table.add_row("of the processor", *processor)
    table.add_row("peak, MiB", *(f"{cost.peak:,.0f}" for cost in costs.values()))
    for kind in ("pairs", *KINDS):
        counts = (f"{cost.found[kind]:,}" if kind in cost.found else "–" for cost in costs.values())
        table.add_row(kind, *counts)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=1_000_000)
    parser.add_argument("--test", type=int, default=100_000)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    sizes = {"train": arguments.train, "test": arguments.test}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        in_its_own_process(write, folder, sizes)
        costs: dict[str, Cost] = {
            "hashes read": in_its_own_process(read_fingerprints, folder),
            "copies proposed": in_its_own_process(propose_copies, folder),
            "whole check": in_its_own_process(check_overlap, folder),
            "dictionaries": in_its_own_process(look_up_in_dictionaries, folder),
        }
    show(costs, sizes)
    if arguments.output:
        figures = {step: asdict(cost) for step, cost in costs.items()}
        content = {"environment": environment(None), "sizes": sizes, "costs": figures}
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")
    if costs["whole check"].found != dict.fromkeys(KINDS, PLANTED):
        sys.exit(f"{PLANTED} of each kind were planted, found: {costs['whole check'].found}")


if __name__ == "__main__":
    main()
