"""A part of a corpus that stands for all of it: for `trainer.limit_val_batches` and its like."""

import numpy as np
import polars as pl

from kaskad.data.samplers.length import SortedByLength
from kaskad.data.samplers.order import BatchOrder


class EvenDraw(SortedByLength):
    """As ``SortedByLength``, of utterances drawn evenly over all lengths, which fill the first
    ``taken`` batches; after those come the rest, for whoever takes more.

    Lightning takes the first batches of a loader: of a corpus sorted by length, the shortest.
    """

    def __init__(
        self,
        manifest: pl.DataFrame,
        batch_seconds: float,
        max_utterances: int,
        taken: int,
        seed: int = 0,
    ) -> None:
        super().__init__(manifest, batch_seconds, max_utterances, seed)
        rows = np.argsort(self.durations, kind="stable")
        count = max(taken, round(len(rows) * taken / len(self)))
        while True:
            drawn = rows[self._even(len(rows), count)]
            ends = self._cut(self.durations[drawn], batch_seconds, max_utterances)
            if len(ends) <= taken:
                break
            count = max(1, min(count - 1, round(count * 0.98)))
        batches = np.split(drawn, ends[:-1])
        while len(batches) < taken:  # utterances enough, and a batch to spare
            largest = max(range(len(batches)), key=lambda index: len(batches[index]))
            batches[largest : largest + 1] = np.array_split(batches[largest], 2)
        rest = rows[~np.isin(rows, drawn)]
        self._plan = [*batches, *np.array_split(rest, max(1, len(self) - taken))]

    def __len__(self) -> int:
        return len(self._plan) if hasattr(self, "_plan") else super().__len__()

    def plan(self, passage: int) -> list[np.ndarray]:
        return self._plan

    def _even(self, total: int, count: int) -> np.ndarray:
        """``count`` of ``total`` places: one drawn from each of as many parts of equal size."""
        bounds = np.linspace(0, total, count + 1).astype(np.int64)
        return np.random.default_rng(self.seed).integers(bounds[:-1], bounds[1:])


def in_order(
    manifest: pl.DataFrame,
    batch_seconds: float,
    max_utterances: int,
    limit: float | int = 1.0,
    seed: int = 0,
) -> BatchOrder:
    """Batches by length; where ``limit``, a share or a number of batches as Lightning knows it,
    takes only a part of them, that part is an even draw over lengths."""
    whole = SortedByLength(manifest, batch_seconds, max_utterances)
    taken = limit if isinstance(limit, int) else int(len(whole) * limit)
    if not 0 < taken < len(whole):
        return whole
    return EvenDraw(manifest, batch_seconds, max_utterances, taken, seed)
