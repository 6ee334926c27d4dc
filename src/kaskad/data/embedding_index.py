"""Embeddings of utterances on the disk, a graph of nearest neighbours, and a walk through it."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from usearch.index import BatchMatches, Index

from kaskad.data.checks import DataError

PORTION = 10_000  # utterances that are looked up at a time
PART = 50_000  # utterances of a walk, at most


def open_embeddings(file: Path, shape: tuple[int, int]) -> np.memmap:
    """The embeddings (utterances, dim) in a file, float16, mapped into memory: zeros until they are
    set. Those of a pass that was interrupted are there as far as it came. Raises ``DataError``
    where they are of another ``shape``.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = _unfinished(file)
        np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=shape).flush()
        unfinished.replace(file)
    try:
        embeddings = np.lib.format.open_memmap(file, mode="r+")
    except ValueError as error:
        raise DataError(f"{file}: torn, or no array; remove it, and it is made anew") from error
    if embeddings.shape != shape:
        raise DataError(
            f"{file} holds {embeddings.shape[0]} embeddings of {embeddings.shape[1]} values, those "
            f"of another run or corpus, not {shape[0]} of {shape[1]}: give it a folder of its own"
        )
    return embeddings


def seen_rows(embeddings: np.ndarray) -> np.ndarray:
    """The rows that have an embedding: zeros are what was not seen, or could not be read."""
    portions = np.array_split(embeddings, -(-len(embeddings) // PORTION))
    sound = [part.any(axis=1) & np.isfinite(part).all(axis=1) for part in portions]
    return np.flatnonzero(np.concatenate(sound))


def make_graph(embeddings: np.ndarray, rows: np.ndarray) -> Index:
    """Put the ``embeddings`` (utterances, dim) of ``rows`` into an HNSW graph, in which they keep
    their numbers.

    Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
    Hierarchical Navigable Small World graphs" (2018).
    """
    graph = Index(ndim=embeddings.shape[1], metric="cos", dtype="f16")
    for portion in np.array_split(rows, -(-len(rows) // PORTION)):
        # In one thread: the graph is the same whenever it is made.
        graph.add(portion.astype(np.uint64), embeddings[portion].astype(np.float32), threads=1)
    return graph


def nearest_rows(
    embeddings: np.ndarray, sought: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` rows of ``embeddings`` (utterances, dim) nearest to each of ``sought``.

    Every row is compared, a portion at a time: for the few utterances of a report that is quicker
    than making a graph. Returns rows and their similarity, the cosine, (sought, count) each, the
    nearest first, narrower where fewer rows have an embedding.
    """
    sought = _of_length_one(sought)
    rows, similarities = np.zeros((len(sought), 0), np.int64), np.zeros((len(sought), 0))
    known = seen_rows(embeddings)
    for portion in np.array_split(known, -(-len(known) // PORTION) or 1):
        found = sought @ _of_length_one(embeddings[portion]).T
        rows = np.hstack([rows, np.broadcast_to(portion, found.shape)])
        similarities = np.hstack([similarities, found])
        best = np.argsort(-similarities, axis=1, kind="stable")[:, :count]
        rows = np.take_along_axis(rows, best, axis=1)
        similarities = np.take_along_axis(similarities, best, axis=1)
    return rows, similarities


def _of_length_one(embeddings: np.ndarray) -> np.ndarray:
    embeddings = embeddings.astype(np.float32)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def look_up(
    graph: Index, embeddings: np.ndarray, count: int, threads: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` rows that are nearest to each of ``embeddings`` (utterances, dim), the nearest
    first, and how similar they are, the cosine: two arrays (utterances, count), narrower where the
    graph has fewer rows. Row -1 is one to which the graph does not lead. ``threads``: 0 for all.
    """
    found = graph.search(embeddings.astype(np.float32), min(count, len(graph)), threads=threads)
    # Of a single one, usearch gives the row alone, as long as it is.
    counts = found.counts if isinstance(found, BatchMatches) else np.array([len(found)])
    keys, distances = np.atleast_2d(found.keys), np.atleast_2d(found.distances)
    is_found = np.arange(keys.shape[1]) < counts.astype(np.int64)[:, None]
    return np.where(is_found, keys.astype(np.int64), -1), 1.0 - distances


def walk_through(
    embeddings: np.ndarray, rows: np.ndarray, seed: int, neighbours: int = 16, threads: int = 1
) -> np.ndarray:
    """All ``rows`` (ascending) in an order that goes on, from each, to the nearest not yet visited
    of its ``neighbours``; and where there is none, to any row.

    More than ``PART`` rows are dealt into parts, each with a graph and a walk of its own, and one
    walk follows the other: time grows as the corpus does, and memory not at all. The order is the
    same in however many ``threads``.
    """
    if not len(rows):
        return rows
    count = -(-len(rows) // PART)
    with ThreadPoolExecutor(threads) as pool:
        walks = [
            pool.submit(_walk_through_part, embeddings, rows[first::count], seed, neighbours)
            for first in range(count)
        ]
        return np.concatenate([walk.result() for walk in walks])


def _walk_through_part(
    embeddings: np.ndarray, rows: np.ndarray, seed: int, neighbours: int
) -> np.ndarray:
    graph = make_graph(embeddings, rows)
    # Of places among the rows, not of rows; the first neighbour of a row is itself.
    nearest = np.empty((len(rows), min(neighbours + 1, len(rows))), dtype=np.int32)
    for start in range(0, len(rows), PORTION):
        part = rows[start : start + PORTION]
        found, _ = look_up(graph, embeddings[part], nearest.shape[1], threads=1)
        found = np.where(found < 0, part[:, None], found)
        nearest[start : start + PORTION] = np.searchsorted(rows, found)
    visited = np.zeros(len(rows), dtype=bool)

    def steps() -> Iterator[int]:
        for start in np.random.default_rng(seed).permutation(len(rows)):
            place = int(start)
            while place >= 0 and not visited[place]:
                visited[place] = True
                yield place
                fresh = nearest[place]
                fresh = fresh[~visited[fresh]]
                place = int(fresh[0]) if len(fresh) else -1

    return rows[np.fromiter(steps(), dtype=np.int64, count=len(rows))]


def _unfinished(file: Path) -> Path:
    """Where a file is written before it is put in its place."""
    return file.with_name(f"{file.name}.{os.getpid()}")
