"""A language model of ten million words: time and memory to estimate it, beside KenLM's lmplz.

    python benchmarks/language_model.py [--words 10000000] [--order 3] [--output figures.json]

lmplz is taken from the PATH or $LMPLZ; without it Kaskad stands alone. Both write the same ARPA:
the largest difference in any probability or weight is shown. Linux or macOS.
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

from kaskad.ngrams.estimation import estimate
from kaskad.ngrams.lmplz import estimate_with_lmplz, find_lmplz
from kaskad.ngrams.perplexity import perplexity
from kaskad.ngrams.sentences import read_sentences
from kaskad.runs.environment import environment

VOCABULARY, PHRASES, LONGEST_PHRASE = 200_000, 1_000_000, 5
SENTENCE = 14  # words, on average
HELD_OUT = 5_000  # sentences


@dataclass
class Cost:
    """Wall and processor seconds from text file to ARPA file; MiB at the peak, beyond imports."""

    seconds: float
    processor_seconds: float
    peak: float
    n_grams: list[int]
    perplexity: float


def cost_of(way: Callable[..., Any], who: int, folder: Path, arpa: Path, order: int) -> Cost:
    """Estimate by ``way``, which works in ``who``: resource.RUSAGE_SELF or RUSAGE_CHILDREN."""
    usage_before, began = resource.getrusage(who), time.perf_counter()
    statistics = way(read_sentences(folder / "text", normalised=False), arpa, order=order)
    seconds, usage = time.perf_counter() - began, resource.getrusage(who)
    processor = usage.ru_utime + usage.ru_stime - usage_before.ru_utime - usage_before.ru_stime
    peak = memory(usage) - (PEAK_OF_IMPORTS if who == resource.RUSAGE_SELF else 0)
    unseen = read_sentences(folder / "held_out", normalised=False)
    return Cost(seconds, processor, peak, statistics.n_grams, perplexity(arpa, unseen).value)


def memory(usage: resource.struct_rusage) -> float:
    """The most memory that was resident so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 2**20


PEAK_OF_IMPORTS = memory(resource.getrusage(resource.RUSAGE_SELF))


def write(folder: Path, words: int) -> None:
    """Write a text of so many words, and one to measure perplexity on.

    Sentences are phrases of one to five words; some words and some phrases are much more frequent
    than others, so that n-grams repeat about as they do in news.
    """
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, LONGEST_PHRASE + 1, PHRASES)
    ends = np.cumsum(lengths)
    phrases = _zipf(generator, VOCABULARY, int(ends[-1]))
    chosen = _zipf(generator, PHRASES, words * 2 // LONGEST_PHRASE)
    starts = np.repeat(ends[chosen] - lengths[chosen], lengths[chosen])
    total = np.cumsum(lengths[chosen])
    within = np.arange(total[-1]) - np.repeat(total - lengths[chosen], lengths[chosen])
    spoken = phrases[starts + within][:words]
    spelling = pl.Series([f"слово{number}" for number in range(VOCABULARY)])
    sentence = np.cumsum(generator.random(len(spoken)) < 1 / SENTENCE)
    table = pl.DataFrame({"sentence": sentence, "word": spelling.gather(spoken)})
    text = table.group_by("sentence", maintain_order=True).agg(pl.col("word").str.join(" "))["word"]
    for name, part in (("text", text[HELD_OUT:]), ("held_out", text[:HELD_OUT])):
        pl.DataFrame(part).write_csv(folder / name, include_header=False, quote_style="never")


def _zipf(generator: np.random.Generator, most: int, count: int) -> np.ndarray:
    """Numbers below ``most``, the n-th of them 1/n as frequent as the first."""
    return (most ** generator.random(count)).astype(np.int64) - 1


def largest_difference(one: Path, other: Path) -> float:
    """The most that the two models differ in, in decimal logarithms; infinite if in n-grams."""
    sides = [_read(path) for path in (one, other)]
    both = sides[0].join(sides[1], on="n_gram", how="full", suffix="_other")
    if both["n_gram"].null_count() or both["n_gram_other"].null_count():
        return float("inf")
    gaps = [(pl.col(name) - pl.col(f"{name}_other")).abs().max() for name in ("log10", "backoff")]
    return float(both.select(pl.max_horizontal(gaps)).item())


def _read(arpa: Path) -> pl.DataFrame:
    fields = pl.col("line").str.split("\t")
    lines = pl.scan_lines(arpa, name="line").filter(pl.col("line").str.contains("\t"))
    return lines.select(
        log10=fields.list.get(0).cast(pl.Float64),
        n_gram=fields.list.get(1),
        backoff=fields.list.get(2, null_on_oob=True).cast(pl.Float64).fill_null(0.0),
    ).collect()


def in_its_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` in a fresh interpreter, where no other call has left its memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def show(costs: dict[str, Cost], difference: float | None, words: int) -> None:
    """Print a column for each way."""
    table = Table("", *costs, title=f"{words:,} words")
    for title, figure, digits in (
        ("seconds", "seconds", 1),
        ("processor seconds", "processor_seconds", 1),
        ("peak, MiB", "peak", 0),
        ("perplexity", "perplexity", 4),
    ):
        table.add_row(title, *(f"{getattr(cost, figure):,.{digits}f}" for cost in costs.values()))
    table.add_row("n-grams", *(" ".join(f"{n:,}" for n in c.n_grams) for c in costs.values()))
    console = Console()
    console.print(table)
    if difference is None:
        console.print("no lmplz on the PATH or at $LMPLZ to compare with")
    else:
        console.print(f"largest difference in a decimal logarithm: {difference:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=10_000_000)
    parser.add_argument("--order", type=int, default=3)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    costs: dict[str, Cost] = {}
    ways = {"Kaskad": (estimate, resource.RUSAGE_SELF)}
    if find_lmplz():
        ways["lmplz"] = (estimate_with_lmplz, resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        in_its_own_process(write, folder, arguments.words)
        for name, (way, who) in ways.items():
            arpa = folder / f"{name}.arpa"
            costs[name] = in_its_own_process(cost_of, way, who, folder, arpa, arguments.order)
        difference = None
        if "lmplz" in costs:
            difference = largest_difference(folder / "Kaskad.arpa", folder / "lmplz.arpa")
    show(costs, difference, arguments.words)
    if arguments.output:
        content = {
            "environment": environment(None),
            "words": arguments.words,
            "order": arguments.order,
            "costs": {way: asdict(cost) for way, cost in costs.items()},
            "largest_difference": difference,
        }
        arguments.output.write_text(json.dumps(content, ensure_ascii=False, indent=4), "utf-8")


if __name__ == "__main__":
    main()
