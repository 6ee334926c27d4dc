"""Loaders of what models of text learn from: batches of rows of like length, no audio."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import polars as pl
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from kaskad.data.checks import DataError
from kaskad.data.samplers.length import LengthBuckets, SortedByLength
from kaskad.data.samplers.order import BatchOrder
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

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


class LetterDataModule(WrittenDataModule):
    """Serves rows that are read letter by letter, and of which other labels are written.

    A subclass says what is ``read`` and what is ``written`` of each row, what the ``rows`` of a
    batch are, and how they are put together: ``collate``. A batch has at most ``rows_at_most``, and
    ``batch_letters`` with padding.

    The order of a run: fit tokenizers on ``read("train")`` and ``written("train")``, then
    ``connect`` them.
    """

    # What is read and what is written is made of, for messages.
    units: tuple[str, str]

    def __init__(self, seed: int, batch_letters: int, rows_at_most: int) -> None:
        super().__init__(seed)
        self.batch_letters = batch_letters
        self.rows_at_most = rows_at_most
        self._tokenizers: tuple[Tokenizer, Tokenizer] | None = None
        self.unknown: dict[str, dict[str, int]] = {}

    def read(self, name: str) -> list[str]:
        """What is read of the rows of "train", "validation" or a test corpus."""
        raise NotImplementedError

    def written(self, name: str) -> list[str]:
        """What is to be written."""
        raise NotImplementedError

    def rows(self, name: str) -> list[Any]:
        """What ``collate`` makes a batch of."""
        raise NotImplementedError

    @staticmethod
    def collate(rows: Sequence[Any], letters: Tokenizer, tokenizer: Tokenizer) -> Any:
        """A batch of rows."""
        raise NotImplementedError

    def connect(self, letters: Tokenizer, tokenizer: Tokenizer) -> None:
        """Read by ``letters`` and write by ``tokenizer`` from here on.

        What training does not have of these is counted, and warned of.
        """
        self._tokenizers = (letters, tokenizer)
        for kind, labels, texts in zip(
            self.units, self._tokenizers, (self.read, self.written), strict=True
        ):
            found: dict[str, int] = {}
            for name in self.tables:
                for text in texts(name):
                    for unit in labels.unknown(text):
                        found[unit] = found.get(unit, 0) + 1
            if found:
                log.warning(
                    "%s that training does not have, in validation and test: %s",
                    kind,
                    ", ".join(f"{unit} ({count} times)" for unit, count in sorted(found.items())),
                )
            self.unknown[kind] = found

    def fingerprint(self) -> str:
        """Of all that is trained on, in its order: another one, other rows."""
        pairs = zip(self.read(TRAIN), self.written(TRAIN), strict=True)
        return hashlib.sha256("\n".join(map("\t".join, pairs)).encode()).hexdigest()

    def _loader(self, name: str, order: Callable[..., BatchOrder] = SortedByLength) -> DataLoader:
        if self._tokenizers is None:
            raise DataError("no tokenizers yet: call connect(letters, tokenizer) first")
        letters, tokenizer = self._tokenizers
        lengths = pl.DataFrame({"duration": [float(len(text)) for text in self.read(name)]})
        return DataLoader(
            _Rows(self.rows(name)),
            batch_sampler=StepBatchSampler(order(lengths, self.batch_letters, self.rows_at_most)),
            collate_fn=partial(self.collate, letters=letters, tokenizer=tokenizer),
            # Its own: beginning an epoch draws nothing from the generator that the net draws from.
            generator=torch.Generator(),
        )


def spell(texts: Sequence[str], letters: Tokenizer) -> tuple[Tensor, Tensor]:
    """The letters of texts (batch, letters), and how many (batch,); 0 is an unknown one."""
    numbers = {letter: number for number, letter in enumerate(letters.labels)}
    return padded([[numbers.get(letter, 0) for letter in text] for text in texts])


def padded(labels: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Labels of unequal count in one tensor (batch, labels), and the counts (batch,)."""
    counts = torch.tensor([len(each) for each in labels], dtype=torch.long)
    if not len(labels):  # another process of the run has them all
        return torch.zeros(0, 1, dtype=torch.long), counts
    rows = [torch.tensor(each, dtype=torch.long) for each in labels]
    return pad_sequence(rows, batch_first=True), counts


class _Rows(Dataset[Any]):
    """Rows, asked for as ``(epoch, row)``."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return self.rows[key[1]]
