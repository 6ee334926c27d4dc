"""An order in which utterances that sound alike to the net come together, or far from each other.

That order matters is a hypothesis: experiments/data_order.yaml is to test it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
from usearch.index import BatchMatches, Index

from kaskad.data.samplers import ByLength

Along = Literal["near", "far", "length", "random"]
PORTION = 10_000  # utterances that are looked up at a time


class EmbeddingGraph(ByLength):
    """Batches of like length (the longest utterance is longer by the share ``spread`` at most), in
    an order that follows a walk from neighbour to neighbour through the graph of embeddings.

    ``near``: a batch takes utterances that follow one another on the walk, and so do the batches;
    ``far``: those of a batch are spread over all of the walk, and batches come at random;
    ``length``: from short to long, with other neighbours in every passage; ``random``: all at
    random, as it is in the first passage of ``near`` and ``far``, which has no walk yet. All four
    have the same number of batches.

    The walk of each passage but the first is a file in ``folder`` (see ``walk_file``), which the
    callback ``EmbeddingOrder`` writes.
    """

    varies = True

    def __init__(
        self,
        manifest: pl.DataFrame,
        batch_seconds: float,
        max_utterances: int,
        seed: int = 0,
        spread: float = 0.2,
        along: Along = "near",
        folder: str | Path = "embeddings",
    ) -> None:
        if along not in get_args(Along):
            raise ValueError(f"sampler.along={along}; it can be {', '.join(get_args(Along))}")
        self.durations = manifest["duration"].to_numpy()
        self.seed = seed
        self.along = along
        self.folder = Path(folder)
        self.bands = list(self._bands(spread, batch_seconds, max_utterances))

    def __len__(self) -> int:
        return sum(count for _, count in self.bands)

    def plan(self, passage: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, passage))
        way = generator.permutation(len(self.durations))
        file = walk_file(self.folder, passage)
        walks = self.along in ("near", "far") and file.exists()
        if walks:
            walk = np.load(file)
            way = np.concatenate([walk, way[np.isin(way, walk, invert=True)]])
        places = np.argsort(way)
        batches = []
        for rows, count in self.bands:
            rows = rows[np.argsort(places[rows])]
            if walks and self.along == "far":
                batches += [rows[first::count] for first in range(count)]
            else:
                batches += np.array_split(rows, count)
        if self.along == "length":
            return batches
        if walks and self.along == "near":
            return sorted(batches, key=lambda rows: float(np.median(places[rows])))
        return [batches[index] for index in generator.permutation(len(batches))]

    def _bands(
        self, spread: float, batch_seconds: float, max_utterances: int
    ) -> Iterator[tuple[np.ndarray, int]]:
        """Rows of like length, and how many batches they make."""
        by_length = np.argsort(self.durations, kind="stable")
        ascending, start = self.durations[by_length], 0
        while start < len(ascending):
            end = int(np.searchsorted(ascending, ascending[start] * (1 + spread), side="right"))
            size = max(1, min(max_utterances, int(batch_seconds / ascending[end - 1])))
            yield by_length[start:end], -(-(end - start) // size)
            start = end


def walk_file(folder: Path, passage: int) -> Path:
    """Where the walk of a passage is kept: rows, in its order; those it leaves out come after."""
    return folder / f"walk-{passage}.npy"


def make_graph(embeddings: np.ndarray, rows: np.ndarray, file: Path) -> Index:
    """Put the ``embeddings`` (utterances, dim) of ``rows`` into an HNSW graph in ``file``; returns
    a view of that, which takes no more memory than what is looked at.

    Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
    Hierarchical Navigable Small World graphs" (2018).
    """
    graph = Index(ndim=embeddings.shape[1], metric="cos", dtype="f16")
    for portion in np.array_split(rows, -(-len(rows) // PORTION)):
        # In one thread: the graph is the same whenever it is made.
        graph.add(portion.astype(np.uint64), embeddings[portion].astype(np.float32), threads=1)
    graph.save(str(file))
    view = Index.restore(str(file), view=True)
    assert view is not None
    return view


def walk_through(
    graph: Index, embeddings: np.ndarray, rows: np.ndarray, seed: int, neighbours: int = 16
) -> np.ndarray:
    """All ``rows`` in an order that goes on, from each, to the nearest not yet visited of its
    ``neighbours``; and where there is none, to any row.
    """
    portions = np.array_split(rows, -(-len(rows) // PORTION))
    nearest = np.concatenate([_nearest(graph, embeddings, p, neighbours) for p in portions])
    line_of = np.full(len(embeddings), -1)
    line_of[rows] = np.arange(len(rows))
    visited = np.zeros(len(embeddings), dtype=bool)
    walk = []
    for start in np.random.default_rng(seed).permutation(rows):
        row = int(start)
        while row >= 0 and not visited[row]:
            visited[row] = True
            walk.append(row)
            fresh = nearest[line_of[row]]
            fresh = fresh[~visited[fresh]]
            row = int(fresh[0]) if len(fresh) else -1
    return np.array(walk, dtype=np.int64)


def _nearest(graph: Index, embeddings: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The nearest ``count`` of each of ``rows``, itself first; where the graph leads to fewer, the
    row itself in place of those."""
    found = graph.search(embeddings[rows].astype(np.float32), min(count + 1, len(graph)))
    assert isinstance(found, BatchMatches)
    keys, counts = found.keys.astype(np.int64), found.counts.astype(np.int64)
    return np.where(np.arange(keys.shape[1]) < counts[:, None], keys, rows[:, None])
