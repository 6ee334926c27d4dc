"""Corpora of unequal size, gone through side by side: a batch of each in every training step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Self, get_args

import numpy as np
import polars as pl
from torch.utils.data import Sampler

from kaskad.data.samplers.order import BatchOrder
from kaskad.runs import distributed

# Of an utterance, the passage and the row; where that came in this passage before, also how often.
Key = tuple[int, int] | tuple[int, int, int]
Interleave = Literal["longest", "shortest", "proportional"]
BISECTIONS = 10  # until the size of a batch is known to a thousandth


class StepBatchSampler(Sampler[list[Key]]):
    """What a corpus gives to each of the ``steps`` of an epoch: ``per_epoch`` of its batches, as
    the ``Key`` of each utterance. Unless told otherwise, an epoch is one passage.

    An epoch goes on in the corpus where the last one ended, and each passage through the corpus is
    planned anew by ``order``: none begins before the last has ended. Where there are fewer
    batches than steps, these are spread evenly, and the steps between them get an empty one.
    Where passages are all the same, every epoch begins anew.

    Where a run has several processes, each gets a share of every batch, of n processes every n-th
    utterance: all shares together are that batch, and their lengths are alike. One may be empty.
    """

    def __init__(
        self, order: BatchOrder, steps: int | None = None, per_epoch: int | None = None
    ) -> None:
        self.order = order
        self.steps = len(order) if steps is None else steps
        self.per_epoch = self.steps if per_epoch is None else per_epoch
        self.epoch = 0
        self.given = 0

    @property
    def sampler(self) -> Self:
        """Where Lightning looks for ``set_epoch``: not on a batch sampler, but on its sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning's call before each epoch."""
        self.epoch = epoch

    def begin_at(self, epoch: int, given: int) -> None:
        """Go on in an epoch of which so many steps were ``given`` before."""
        self.epoch, self.given = epoch, given

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Key]]:
        # Not before the first step is asked for: a loader with workers calls this twice.
        given, self.given = self.given, 0
        yield from self.plan(self.epoch, given)

    def plan(self, epoch: int, given: int = 0) -> Iterator[list[Key]]:
        """The share of this process in the steps of an epoch, but for the first ``given``."""
        share = slice(distributed.rank(), None, distributed.count())
        first = epoch * self.per_epoch if self.order.varies else 0
        passage, batches, again = -1, list[np.ndarray](), list[np.ndarray]()
        for step in range(given, self.steps):
            begun, due = (n * self.per_epoch // self.steps for n in (step, step + 1))
            if begun == due:
                yield []
                continue
            wanted, index = divmod(first + begun, len(self.order))
            if wanted != passage:
                passage, batches = wanted, self.order.plan(wanted)
                again = repeats(batches)
            keys = zip(batches[index][share].tolist(), again[index][share].tolist(), strict=True)
            yield [(passage, row, count) if count else (passage, row) for row, count in keys]


def repeats(batches: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each row of the batches, how often it came in them before."""
    rows = np.concatenate(batches)
    by_row = np.argsort(rows, kind="stable")
    ascending = rows[by_row]
    before = np.empty_like(rows)
    before[by_row] = np.arange(len(rows)) - np.searchsorted(ascending, ascending)
    return np.split(before, np.cumsum([len(batch) for batch in batches])[:-1])


def interleave(
    manifests: Mapping[str, pl.DataFrame],
    mode: Interleave,
    sampler: Callable[..., BatchOrder],
    batch_seconds: float,
    max_utterances: int,
) -> dict[str, StepBatchSampler]:
    """Plan for corpora, by their ``manifests``, epochs of equally many steps.

    ``longest``: as many as the longest corpus has batches, while the others repeat; ``shortest``:
    as many as the shortest has, while the others go on in the next epoch; ``proportional``: as
    many as the longest has, while the others are spread over them in smaller batches.
    """
    if mode not in get_args(Interleave):
        raise ValueError(f"unknown interleave '{mode}'; known: {', '.join(get_args(Interleave))}")

    def cut(name: str, share: float) -> BatchOrder:
        most = max(1, round(share * max_utterances))
        return sampler(manifests[name], share * batch_seconds, most)

    def smallest(name: str, count: int) -> BatchOrder:
        """Cut into no more than ``count`` batches, the smallest that there can be."""
        too_small, enough = 0.0, 1.0
        for _ in range(BISECTIONS):
            share = (too_small + enough) / 2
            if len(cut(name, share)) > count:
                too_small = share
            else:
                enough = share
        return cut(name, enough)

    orders = {
        name: sampler(manifest, batch_seconds, max_utterances)
        for name, manifest in manifests.items()
    }
    counts = [len(order) for order in orders.values()]
    steps = min(counts) if mode == "shortest" else max(counts)
    if mode == "proportional":
        orders = {name: smallest(name, steps) for name in manifests}
    return {
        name: StepBatchSampler(order, steps, len(order) if mode == "proportional" else steps)
        for name, order in orders.items()
    }
