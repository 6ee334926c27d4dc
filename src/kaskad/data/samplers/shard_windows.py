"""An order for corpora in shards, in which few of them are read at a time."""

import numpy as np
import polars as pl

from kaskad.audio.files import PACKED
from kaskad.data.checks import DataError
from kaskad.data.samplers.length import LengthBuckets
from kaskad.data.samplers.order import BatchOrder


class ShardWindows(BatchOrder):
    """As ``LengthBuckets`` within each of several windows, of ``window`` shards at most, that are
    gone through one after the other, in a new order in every passage.

    Which shards share a window is drawn once, so that each passage has as many batches. A shard is
    a fair sample of the corpus, and a window of some shards a larger one.
    """

    def __init__(
        self,
        manifest: pl.DataFrame,
        batch_seconds: float,
        max_utterances: int,
        seed: int = 0,
        blur: float = 0.1,
        window: int = 8,
    ) -> None:
        if window < 1:
            raise ValueError(f"sampler.window={window}: it is a number of shards, 1 or more")
        files = pl.col("path").str.extract(PACKED, 1)
        shards = (
            manifest.select(file=files, row=pl.int_range(pl.len()))
            .group_by("file", maintain_order=True)
            .agg("row")
        )
        loose = shards.filter(pl.col("file").is_null())["row"].explode()
        if len(loose):
            raise DataError(
                f"sampler=shards reads shards, and {len(loose)} of {manifest.height} training "
                f"utterances are in none (first: {manifest['path'][loose[0]]}); pack the corpus "
                "with `kaskad shard data=… output=<folder>` and train with data=table "
                "data.root=<folder>, or choose sampler=length_buckets"
            )
        super().__init__(manifest, batch_seconds, max_utterances, seed)
        lengths = manifest.select("duration")
        drawn = np.random.default_rng(seed).permutation(shards.height)
        self.windows = [
            shards["row"][part].explode().to_numpy()
            for part in np.array_split(drawn, -(-shards.height // window))
        ]
        self.orders = [
            LengthBuckets(lengths[rows], batch_seconds, max_utterances, seed + number, blur)
            for number, rows in enumerate(self.windows)
        ]

    def __len__(self) -> int:
        return sum(map(len, self.orders))

    def plan(self, passage: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, passage))
        return [
            self.windows[number][batch]
            for number in generator.permutation(len(self.windows))
            for batch in self.orders[number].plan(passage)
        ]
