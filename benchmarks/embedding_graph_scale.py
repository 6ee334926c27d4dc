"""sampler=embedding_graph with a million utterances: time and memory between two epochs.

    python benchmarks/embedding_graph_scale.py [--rows 1000000] [--dim 64] [--threads 1]
        [--output figures.json]

Embeddings are drawn at random, of which an HNSW graph makes most work: no two are near each other.
They lie in a memory-mapped file, as in a run. Beside the walk stands what the default sampler does,
a plan of length buckets. Each column is a process of its own. Linux.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from kaskad.data.embedding_index import open_embeddings, seen_rows, walk_through
from kaskad.data.samplers.embedding_graph import EmbeddingGraph, walk_file
from kaskad.data.samplers.length import LengthBuckets
from kaskad.runs.environment import environment

# As in conf/loader/length_buckets.yaml and conf/sampler/embedding_graph.yaml.
BATCH_SECONDS, MAX_UTTERANCES, SPREAD = 40.0, 32, 0.2
DIM = 64  # values of an embedding; the default encoder gives 512, in which all takes longer
EVERY = 0.02  # seconds from one look at the memory to the next


@dataclass
class Cost:
    """By step: seconds, seconds of the processors, and MiB at the peak, beyond what the imports
    take. What is mapped from files is not counted: it makes room when others need it."""

    seconds: dict[str, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    batches: int = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what is done within, as the step ``name``."""
        seen, done = [own_memory()], threading.Event()

        def watch() -> None:
            while not done.wait(EVERY):
                seen.append(own_memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        began, busy = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = time.perf_counter() - began
        self.busy[name] = time.process_time() - busy
        done.set()
        watcher.join()
        self.peak[name] = max(*seen, own_memory()) - MEMORY_OF_IMPORTS


def own_memory() -> float:
    """What this process has resident that is not mapped from a file, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


MEMORY_OF_IMPORTS = own_memory()


def write(folder: Path, rows: int, dim: int) -> None:
    """Write random embeddings, and a manifest of utterances of 1 to 30 s, half below 5."""
    generator = np.random.default_rng(0)
    embeddings = open_embeddings(folder / "embeddings.npy", (rows, dim))
    for part in np.array_split(embeddings, -(-rows // 10_000)):
        part[:] = generator.standard_normal(part.shape, dtype=np.float32)
    durations = np.clip(generator.lognormal(np.log(5), 0.6, rows), 1, 30)
    pl.DataFrame({"duration": durations}).write_parquet(folder / "manifest.parquet")


def order_by_graph(folder: Path, threads: int) -> Cost:
    """What the callback EmbeddingOrder does at the end of an epoch, and the sampler after it."""
    cost = Cost()
    manifest = pl.read_parquet(folder / "manifest.parquet")
    embeddings = np.load(folder / "embeddings.npy", mmap_mode="r")
    with cost.step("rows seen"):
        rows = seen_rows(embeddings)
    with cost.step("graphs and walk"):
        walk = walk_through(embeddings, rows, seed=0, threads=threads)
    np.save(walk_file(folder, 1), walk)
    with cost.step("plan"):
        order = EmbeddingGraph(manifest, BATCH_SECONDS, MAX_UTTERANCES, 0, SPREAD, "near", folder)
        cost.batches = len(order.plan(1))
    return cost


def order_by_length(folder: Path) -> Cost:
    """What the default sampler does instead."""
    cost = Cost()
    manifest = pl.read_parquet(folder / "manifest.parquet")
    with cost.step("plan"):
        cost.batches = len(LengthBuckets(manifest, BATCH_SECONDS, MAX_UTTERANCES).plan(1))
    return cost


def in_its_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` in a fresh interpreter, where no other call has left its memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=DIM)
    parser.add_argument("--threads", type=int, default=1, help="that lay the walk")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        in_its_own_process(write, folder, arguments.rows, arguments.dim)
        by_graph = partial(order_by_graph, threads=arguments.threads)
        ways: dict[str, Callable[..., Cost]] = {
            "embedding_graph": by_graph,
            "length_buckets": order_by_length,
        }
        costs: dict[str, Cost] = {n: in_its_own_process(way, folder) for n, way in ways.items()}
    table = Table("", *costs, title=f"{arguments.rows:,} utterances, {arguments.dim} values each")
    for name in costs["embedding_graph"].seconds:
        shown_as = ("s", "seconds", 2), ("s of processors", "busy", 2), ("peak, MiB", "peak", 0)
        for title, part, digits in shown_as:
            values = [getattr(cost, part).get(name) for cost in costs.values()]
            shown = ("–" if value is None else f"{value:,.{digits}f}" for value in values)
            table.add_row(f"{name}, {title}", *shown)
    table.add_row("batches", *(f"{cost.batches:,}" for cost in costs.values()))
    Console().print(table)
    if arguments.output:
        figures = {name: asdict(cost) for name, cost in costs.items()}
        content = {"environment": environment(None), **vars(arguments), "costs": figures}
        arguments.output.write_text(json.dumps(content, indent=4, default=str), "utf-8")


if __name__ == "__main__":
    main()
