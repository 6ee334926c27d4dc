"""An order in which utterances that sound alike to the net come together, or far from each other.

That order helps is a hypothesis, which experiments/data_order.md does not bear out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl

from kaskad.data.checks import DataError
from kaskad.data.samplers.order import BatchOrder

Along = Literal["near", "far", "length", "random"]


class EmbeddingGraph(BatchOrder):
    """Batches of like length (the longest utterance is longer by the share ``spread`` at most), in
    an order that follows a walk from neighbour to neighbour through the graph of embeddings.

    ``near``: a batch takes utterances that follow one another on the walk, and so do the batches;
    ``far``: those of a batch are spread over all of the walk, and batches come at random;
    ``length``: from short to long, with other neighbours in every passage; ``random``: all at
    random, as it is in the first passage of ``near`` and ``far``, which has no walk yet. All four
    have the same number of batches.

    The walk of each passage but the first is a file in ``folder`` (see ``walk_file``), which the
    callback ``EmbeddingOrder`` writes; ``plan`` raises ``DataError`` where it is missing.
    """

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
        if spread < 0:
            raise ValueError(f"sampler.spread={spread}: it is a share, 0 or more")
        super().__init__(manifest, batch_seconds, max_utterances, seed)
        self.along = along
        self.folder = Path(folder)
        self.bands = list(self._bands(spread, batch_seconds, max_utterances))

    def __len__(self) -> int:
        return sum(count for _, count in self.bands)

    def plan(self, passage: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, passage))
        way = generator.permutation(len(self.durations))
        walks = self.walks and passage > 0
        if walks:
            walk = self._walk(passage)
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

    @property
    def walks(self) -> bool:
        """Whether the order follows walks."""
        return self.along in ("near", "far")

    def _walk(self, passage: int) -> np.ndarray:
        file = walk_file(self.folder, passage)
        if not file.exists():
            raise DataError(
                f"{file}: the walk of this epoch, which the one before laid, is gone: its order is "
                "lost; begin a new run, or go on from an earlier checkpoint"
            )
        walk: np.ndarray = np.load(file)
        return walk

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
