"""Loaders of what models of text learn from: batches of rows of like length, no audio."""

from collections.abc import Callable
from functools import partial

import polars as pl
import pytorch_lightning as lightning
from torch.utils.data import DataLoader

from kaskad.data.samplers.length import LengthBuckets, SortedByLength
from kaskad.data.samplers.order import BatchOrder

TRAIN, VALIDATION = "train", "validation"  # how the rows of these roles are called


class WrittenDataModule(lightning.LightningDataModule):
    """Serves rows of ``tables`` in the roles of a run; who derives from it says what a batch is.

    ``tables`` has "train", "validation", and each corpus of ``tests`` by its name.
    """

    tables: dict[str, pl.DataFrame]
    tests: list[str]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.beginning = (0, 0)

    def begin_at(self, epoch: int, batches: int) -> None:
        """Let training begin in this epoch, after so many of its batches: a run that goes on."""
        self.beginning = (epoch, batches)

    def train_dataloader(self) -> DataLoader:
        # Who learns a few batches by heart (debug=overfit) is to get the same ones in every epoch.
        by_heart = getattr(self.trainer, "overfit_batches", 0) > 0
        order = SortedByLength if by_heart else partial(LengthBuckets, seed=self.seed)
        loader = self._loader(TRAIN, order)
        loader.batch_sampler.begin_at(*self.beginning)  # type: ignore[union-attr]
        return loader

    def val_dataloader(self) -> DataLoader:
        return self._loader(VALIDATION)

    def test_dataloader(self) -> list[DataLoader]:
        return [self._loader(name) for name in self.tests]

    def _loader(self, name: str, order: Callable[..., BatchOrder] = SortedByLength) -> DataLoader:
        """Batches of a table, in an order."""
        raise NotImplementedError
