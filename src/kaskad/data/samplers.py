"""In which order, and together with whom, utterances are gone through."""

from collections.abc import Iterator
from typing import Self

import numpy as np
from torch.utils.data import Sampler


class LengthBuckets(Sampler[list[tuple[int, int]]]):
    """Batches of utterances of like length: at most ``batch_seconds`` with padding, and at most
    ``max_utterances``; an utterance longer than that goes alone.

    With ``shuffle`` every epoch draws new neighbours (lengths are blurred by up to the share
    ``blur`` before sorting) and a new order of batches; without, the order is by length and always
    the same. The number of batches is the same in every epoch, as schedules need to know.
    Everything is planned on arrays: a million utterances take about a second.
    """

    def __init__(
        self,
        durations: np.ndarray,
        batch_seconds: float,
        max_utterances: int,
        *,
        shuffle: bool,
        seed: int = 0,
        blur: float = 0.1,
    ) -> None:
        self.durations = durations
        self.shuffle = shuffle
        self.seed = seed
        self.blur = blur
        self.epoch = 0
        # Blurred, an utterance may take the place of one shorter by that much.
        longest = np.sort(durations) * (1 + blur if shuffle else 1)
        self.ends = _batch_ends(longest, batch_seconds, max_utterances)

    @property
    def sampler(self) -> Self:
        """Where Lightning looks for ``set_epoch``: not on a batch sampler, but on its sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning's call before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for rows in self.plan():
            yield [(self.epoch, row) for row in rows.tolist()]

    def plan(self) -> list[np.ndarray]:
        """The rows of each batch of this epoch."""
        if not self.shuffle:
            return np.split(np.argsort(self.durations, kind="stable"), self.ends[:-1])
        generator = np.random.default_rng((self.seed, self.epoch))
        blurred = self.durations * generator.uniform(1, 1 + self.blur, len(self.durations))
        batches = np.split(np.argsort(blurred, kind="stable"), self.ends[:-1])
        return [batches[index] for index in generator.permutation(len(batches))]


def _batch_ends(ascending: np.ndarray, batch_seconds: float, max_utterances: int) -> np.ndarray:
    """Cut sorted durations: each batch takes as many as fit when padded to its longest."""
    ends, start = [np.empty(0, dtype=np.int64)], 0
    for size in range(max_utterances, 0, -1):  # ever longer utterances, ever smaller batches
        longest = batch_seconds / size if size > 1 else np.inf
        fitting = int(np.searchsorted(ascending, longest, side="right"))
        batches = max(0, fitting - start) // size
        ends.append(start + size * np.arange(1, batches + 1))
        start += size * batches
    return np.concatenate(ends)
