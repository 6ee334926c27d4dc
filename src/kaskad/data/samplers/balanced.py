"""Batches in which every value of a column (speaker, corpus) has the share that is wanted."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from kaskad.data.checks import DataError
from kaskad.data.samplers.length import LengthBuckets


class Balanced(LengthBuckets):
    """As ``LengthBuckets``, of a draw in which the values of the column ``by`` have given shares:
    speakers, genders, places of recording, corpora that train together.

    A passage draws as many utterances as there are. Where a speaker is due ``q`` times and has
    ``m`` utterances, these are sorted by length and cut into ``q`` parts, with one drawn from each:
    in the long run all ``m`` come equally often, ``q / m`` times a passage. So within one passage
    utterances of rare speakers come again, and some of the others do not come.

    Args:
        manifest: what is drawn from.
        batch_seconds: as in ``LengthBuckets``.
        max_utterances: as in ``LengthBuckets``.
        seed: of the draws.
        blur: as in ``LengthBuckets``.
        by: the column.
        shares: of the draws, for some of its values, as {synthetic: 0.3}.
        power: the other values share the rest by the number of their utterances to this power: 0,
            all the same; 1, as many as they have; 0.5, between the two.

    Raises:
        DataError: Where utterances have no such value, or the shares cannot be.
    """

    def __init__(
        self,
        manifest: pl.DataFrame,
        batch_seconds: float,
        max_utterances: int,
        seed: int = 0,
        blur: float = 0.1,
        by: str = "speaker",
        shares: Mapping[str, float] | None = None,
        power: float = 0.0,
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
        wanted = _shares(dict(shares or {}), [str(value) for value in values], having**power, by)
        # Whole numbers that add up: of what is left over, one each to the largest remainders.
        exact = wanted * manifest.height
        quotas = np.floor(exact + 1e-9).astype(np.int64)
        last = np.argsort(quotas - exact, kind="stable")[: manifest.height - quotas.sum()]
        quotas[last] += 1
        self.begins = np.repeat(np.cumsum(having) - having, quotas)
        self.parts = np.concatenate([np.arange(quota) for quota in quotas])
        self.sizes = np.repeat(having, quotas) / np.repeat(quotas, quotas)
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


def _shares(given: dict[str, float], values: list[str], weights: np.ndarray, by: str) -> np.ndarray:
    """The share of each value: that ``given``, or of the rest by its weight."""
    unknown = given.keys() - set(values)
    total, others = sum(given.values()), [value not in given for value in values]
    if unknown or min(given.values(), default=0) < 0 or total > 1 + 1e-9:
        raise DataError(
            f"sampler.shares={given}: shares of some values of '{by}' that add up to 1 at most; "
            f"there are {', '.join(values)}"
        )
    if not any(others) and total < 1 - 1e-9:
        raise DataError(
            f"sampler.shares={given}: they add up to {total:g}, and nothing else is left"
        )
    rest = (1 - total) * weights / max(weights[others].sum(), 1e-9)
    return np.array(
        [given.get(value, share) for value, share in zip(values, rest.tolist(), strict=True)]
    )
