"""In which order, and together with whom, utterances are gone through.

A sampler plans the batches of each passage through a corpus, of equally many batches, as schedules
need to know. Everything is planned on arrays: a million utterances take about a second.
"""

import numpy as np
import polars as pl

from kaskad.data.samplers.order import BatchOrder


class SortedByLength(BatchOrder):
    """Batches of utterances of like length, the shortest first: at most ``batch_seconds`` with
    padding, and at most ``max_utterances``; an utterance longer than that goes alone.
    """

    varies = False

    def __init__(
        self, manifest: pl.DataFrame, batch_seconds: float, max_utterances: int, seed: int = 0
    ) -> None:
        super().__init__(manifest, batch_seconds, max_utterances, seed)
        self.ends = self._cut(self.longest(), batch_seconds, max_utterances)

    def __len__(self) -> int:
        return len(self.ends)

    def plan(self, passage: int) -> list[np.ndarray]:
        return np.split(np.argsort(self.durations, kind="stable"), self.ends[:-1])

    def longest(self) -> np.ndarray:
        """Ascending durations, none shorter than that in its place in any passage."""
        return np.sort(self.durations)

    def _cut(self, ascending: np.ndarray, batch_seconds: float, max_utterances: int) -> np.ndarray:
        """Where batches end in sorted durations, if each takes as many as fit with padding."""
        ends, start = [np.empty(0, dtype=np.int64)], 0
        for size in range(max_utterances, 0, -1):  # ever longer utterances, ever smaller batches
            longest = batch_seconds / size if size > 1 else np.inf
            fitting = int(np.searchsorted(ascending, longest, side="right"))
            batches = max(0, fitting - start) // size
            ends.append(start + size * np.arange(1, batches + 1))
            start += size * batches
        return np.concatenate(ends)


class LengthBuckets(SortedByLength):
    """As ``SortedByLength``, but every passage draws new neighbours and a new order of batches.

    Lengths are blurred by up to the share ``blur`` before sorting.
    """

    varies = True

    def __init__(
        self,
        manifest: pl.DataFrame,
        batch_seconds: float,
        max_utterances: int,
        seed: int = 0,
        blur: float = 0.1,
    ) -> None:
        if not blur >= 0:
            raise ValueError(f"sampler.blur={blur}: it is a share, 0 or more")
        self.blur = blur
        super().__init__(manifest, batch_seconds, max_utterances, seed)

    def plan(self, passage: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, passage))
        rows = self.draw(generator)
        blurred = self.durations[rows] * generator.uniform(1, 1 + self.blur, len(rows))
        batches = np.split(rows[np.argsort(blurred, kind="stable")], self.ends[:-1])
        return [batches[index] for index in generator.permutation(len(batches))]

    def longest(self) -> np.ndarray:
        # Blurred, an utterance may take the place of one shorter by that much.
        return np.sort(self.durations[self.longest_draw()]) * (1 + self.blur)

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """The rows of a passage: all, each once."""
        return np.arange(len(self.durations))

    def longest_draw(self) -> np.ndarray:
        """Such rows that, sorted by length, none is shorter than that in its place in any draw."""
        return np.arange(len(self.durations))


class SortedFirst(LengthBuckets):
    """As ``LengthBuckets``, after a first passage in the order of length, the shortest first.

    Source: SortaGrad in Amodei et al., "Deep Speech 2" (ICML 2016).
    """

    def plan(self, passage: int) -> list[np.ndarray]:
        return SortedByLength.plan(self, passage) if passage == 0 else super().plan(passage)
