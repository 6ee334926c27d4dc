"""Batches in which every value of a column (speaker, gender, language) has the same share."""

import numpy as np
import polars as pl

from kaskad.data.checks import DataError
from kaskad.data.samplers.length import LengthBuckets


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
