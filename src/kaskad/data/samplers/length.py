"""In which order, and together with whom, utterances are gone through.

A sampler plans the batches of each passage through a corpus, of equally many batches, as schedules
need to know. Everything is planned on arrays: a million utterances take about a second.
"""

from typing import Protocol

import numpy as np
import polars as pl

from kaskad.data.checks import DataError


class Order(Protocol):
    """The batches of each passage through a corpus, equally many in all."""

    # Whether one passage through the corpus differs from the next.
    varies: bool
    durations: np.ndarray  # seconds, of each row

    def __len__(self) -> int:
        """How many batches a passage has."""

    def plan(self, passage: int) -> list[np.ndarray]:
        """The rows of each batch."""


def require_budget(batch_seconds: float, max_utterances: int) -> None:
    """Raise ``ValueError`` unless a batch may hold something, as every order takes for granted."""
    if not batch_seconds > 0:
        raise ValueError(f"batch_seconds={batch_seconds}: a batch holds more than 0 seconds")
    if max_utterances < 1:
        raise ValueError(f"max_utterances={max_utterances}: a batch holds 1 utterance or more")


class ByLength(Order):
    """Batches of utterances of like length, the shortest first: at most ``batch_seconds`` with
    padding, and at most ``max_utterances``; an utterance longer than that goes alone.
    """

    varies = False

    def __init__(
        self, manifest: pl.DataFrame, batch_seconds: float, max_utterances: int, seed: int = 0
    ) -> None:
        require_budget(batch_seconds, max_utterances)
        self.durations = manifest["duration"].to_numpy()
        self.seed = seed
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


class LengthBuckets(ByLength):
    """As ``ByLength``, but every passage draws new neighbours (lengths are blurred by up to the
    share ``blur`` before sorting) and a new order of batches.
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
        return ByLength.plan(self, passage) if passage == 0 else super().plan(passage)


class Balanced(LengthBuckets):
    """As ``LengthBuckets``, of a draw in which all values of the column ``by`` come equally often,
    to one: speakers, genders, places of recording.

    A passage draws as many utterances as there are. Where a speaker is due ``q`` times and has
    ``m`` utterances, these are sorted by length and cut into ``q`` parts, with one drawn from each:
    in the long run all ``m`` come equally often, ``q / m`` times a passage. So within one passage
    utterances of rare speakers come again, and some of the others do not come.
    """

    def __init__(
        self,
        manifest: pl.DataFrame,
        batch_seconds: float,
        max_utterances: int,
        seed: int = 0,
        blur: float = 0.1,
        by: str = "speaker",
    ) -> None:
        if by not in manifest.columns or manifest[by].null_count():
            lacking = manifest[by].null_count() if by in manifest.columns else manifest.height
            raise DataError(
                f"sampler.by={by}: {lacking} of {manifest.height} training utterances have no "
                f"{by}; fill that column of the manifest, or choose one of "
                f"{', '.join(name for name in manifest.columns if name not in ('path', 'text'))}"
            )
        values, owners = np.unique(manifest[by].to_numpy(), return_inverse=True)
        self.ordered = np.lexsort((manifest["duration"].to_numpy(), owners))
        having = np.bincount(owners)
        due, more = divmod(manifest.height, len(values))
        quotas = due + (np.arange(len(values)) < more)
        self.begins = np.repeat(np.cumsum(having) - having, quotas)
        self.parts = np.concatenate([np.arange(quota) for quota in quotas])
        self.sizes = np.repeat(having / quotas, quotas)
        # A part may end within a row, which is then its last: (part + 1) * size, rounded up.
        ends = -(-(self.parts + 1) * np.repeat(having, quotas) // np.repeat(quotas, quotas))
        self.last = self.begins + ends - 1
        super().__init__(manifest, batch_seconds, max_utterances, seed, blur)

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        places = self.parts + generator.random(len(self.parts))
        drawn = self.begins + (places * self.sizes).astype(np.int64)
        return self.ordered[np.minimum(drawn, self.last)]  # what is rounded stays in its part

    def longest_draw(self) -> np.ndarray:
        return self.ordered[self.last]
