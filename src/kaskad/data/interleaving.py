"""Corpora of unequal size, gone through side by side: a batch of each in every training step."""

from collections.abc import Iterator, Mapping
from typing import Literal, Self, get_args

import numpy as np
from torch.utils.data import Sampler

from kaskad.data.samplers import LengthBuckets

Interleave = Literal["longest", "shortest", "proportional"]
BISECTIONS = 10  # until the size of a batch is known to a thousandth


class Interleaved(Sampler[list[tuple[int, int]]]):
    """What one corpus gives to each of the ``steps`` of an epoch: ``per_epoch`` of its batches.

    An epoch goes on in the corpus where the last one ended, and each passage through the corpus is
    a new shuffle: no utterance comes twice before every other has come once. Where there are fewer
    batches than steps, these are spread evenly, and the steps between them get an empty one.
    Unshuffled, every epoch begins anew.
    """

    def __init__(self, buckets: LengthBuckets, steps: int, per_epoch: int) -> None:
        self.buckets = buckets
        self.steps = steps
        self.per_epoch = per_epoch
        self.epoch = 0
        self.given = 0

    @property
    def sampler(self) -> Self:
        """Where Lightning looks for ``set_epoch``, as in ``LengthBuckets``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning's call before each epoch."""
        self.epoch = epoch

    def begin_at(self, epoch: int, given: int) -> None:
        """Go on in an epoch of which so many steps were ``given`` before: in the next passage."""
        self.epoch, self.given = epoch, given

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        first = self.epoch * self.per_epoch if self.buckets.shuffle else 0
        given, self.given = self.given, 0
        passage, batches = -1, []
        for step in range(given, self.steps):
            begun, due = (n * self.per_epoch // self.steps for n in (step, step + 1))
            if begun == due:
                yield []
                continue
            wanted, index = divmod(first + begun, len(self.buckets))
            if wanted != passage:
                passage = wanted
                self.buckets.set_epoch(passage)
                batches = list(self.buckets)
            yield batches[index]


def interleave(
    durations: Mapping[str, np.ndarray],
    mode: Interleave,
    batch_seconds: float,
    max_utterances: int,
    *,
    shuffle: bool,
    seed: int = 0,
) -> dict[str, Interleaved]:
    """Plan for corpora, given by their ``durations`` (s), epochs of equally many steps.

    ``longest``: as many as the longest corpus has batches, while the others repeat; ``shortest``:
    as many as the shortest has, while the others go on in the next epoch; ``proportional``: as
    many as the longest has, while the others are spread over them in smaller batches.
    """
    if mode not in get_args(Interleave):
        raise ValueError(f"unknown interleave '{mode}'; known: {', '.join(get_args(Interleave))}")

    def cut(name: str, share: float = 1.0) -> LengthBuckets:
        most = max(1, round(share * max_utterances))
        return LengthBuckets(
            durations[name], share * batch_seconds, most, shuffle=shuffle, seed=seed
        )

    def smallest(name: str, count: int) -> LengthBuckets:
        """Cut into no more than ``count`` batches, the smallest that there can be."""
        too_small, enough = 0.0, 1.0
        for _ in range(BISECTIONS):
            share = (too_small + enough) / 2
            if len(cut(name, share)) > count:
                too_small = share
            else:
                enough = share
        return cut(name, enough)

    buckets = {name: cut(name) for name in durations}
    counts = [len(batches) for batches in buckets.values()]
    steps = min(counts) if mode == "shortest" else max(counts)
    if mode == "proportional":
        buckets = {name: smallest(name, steps) for name in durations}
    return {
        name: Interleaved(batches, steps, len(batches) if mode == "proportional" else steps)
        for name, batches in buckets.items()
    }
